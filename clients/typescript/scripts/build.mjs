// Compiles the sources to `build`, one module a file, for tests; and packs those into `dist`, as ES modules and as
// CommonJS. Fifty files take three times as long to load as the few that are packed.
//
// Where they were built of the same sources, nothing is done: tests that run side by side all ask for them.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rollup } from 'rollup';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const compile = (...words) => execFileSync(process.execPath, [compiler, ...words], { cwd: root, stdio: 'inherit' });

/** What `exports` in package.json has, by its path in `src`. */
const entries = ['index', 'bullmq/index', 'testing/index'];

const sources = ['package.json', 'package-lock.json', 'tsconfig.json', 'scripts/build.mjs'];
sources.push(...readdirSync(join(root, 'src'), { recursive: true }).filter((name) => name.endsWith('.ts')).sort()
  .map((name) => join('src', name)));
const digest = createHash('sha256');
for (const source of sources) {
  digest.update(`${source}\n`).update(readFileSync(join(root, source)));
}
const wanted = digest.digest('hex');
const stamp = join(root, 'build/.sources');
const last = join(root, 'dist/cjs/package.json');
if (existsSync(last) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) {
  process.exit();
}

for (const folder of ['build', 'dist']) {
  rmSync(join(root, folder), { recursive: true, force: true });
}
compile('-p', 'tsconfig.json');

const bundle = await rollup({
  input: Object.fromEntries(entries.map((entry) => [entry, join(root, 'build', `${entry}.js`)])),
  external: [/^node:/, '@redis/client'],
  onwarn: (warning) => {
    throw new Error(warning.message);
  },
});
const common = { entryFileNames: '[name].js', chunkFileNames: 'parts/[name].js', exports: 'named', generatedCode: 'es2015' };
await bundle.write({ ...common, dir: join(root, 'dist/esm'), format: 'es' });
// A `require` that waits for its time: Jest, which runs CommonJS, knows no `import()`.
await bundle.write({ ...common, dir: join(root, 'dist/cjs'), format: 'cjs', dynamicImportInCjs: false });
await bundle.close();

// The same declarations twice: what is in a folder of CommonJS is understood as such.
for (const folder of ['dist/esm', 'dist/cjs']) {
  compile('-p', 'tsconfig.json', '--emitDeclarationOnly', '--declaration', '--outDir', folder);
}
writeFileSync(last, '{ "type": "commonjs" }\n');
// Last of all: what was broken off is built again.
writeFileSync(stamp, wanted);
