// Compiles the sources twice: as ES modules and as CommonJS.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = createRequire(import.meta.url).resolve('typescript/bin/tsc');

rmSync(join(root, 'dist'), { recursive: true, force: true });
for (const project of ['tsconfig.json', 'tsconfig.cjs.json']) {
  execFileSync(process.execPath, [compiler, '-p', join(root, project)], { stdio: 'inherit' });
}
// The package is of type "module"; this file makes Node read dist/cjs as CommonJS all the same.
writeFileSync(join(root, 'dist/cjs/package.json'), '{ "type": "commonjs" }\n');
