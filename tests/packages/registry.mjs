// A registry of npm's kind, of packed files: what is installed from it, is installed as it is published.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { basename, join } from 'node:path';

/** Packs a folder as `npm publish` would, without building it; gives the packed file. */
export function pack(folder, into) {
  const words = ['pack', '--silent', '--ignore-scripts', '--pack-destination', into];
  return join(into, execFileSync('npm', words, { cwd: folder, encoding: 'utf8' }).trim().split('\n').at(-1));
}

/** Serves packed files until the test ends; gives the registry's address. */
export async function serve(t, files) {
  const packages = new Map();
  const tarballs = new Map();
  const server = createServer((request, response) => {
    const path = decodeURIComponent(new URL(request.url, 'http://registry').pathname.slice(1));
    const body = packages.has(path) ? JSON.stringify(packages.get(path)) : tarballs.get(path);
    response.writeHead(body ? 200 : 404).end(body ?? '{}');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = `http://127.0.0.1:${server.address().port}/`;
  for (const file of files) {
    const manifest = JSON.parse(execFileSync('tar', ['-xOf', file, 'package/package.json'], { encoding: 'utf8' }));
    const bytes = readFileSync(file);
    const integrity = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    const dist = { tarball: `${address}files/${basename(file)}`, integrity };
    tarballs.set(`files/${basename(file)}`, bytes);
    packages.set(manifest.name, {
      name: manifest.name,
      'dist-tags': { latest: manifest.version },
      versions: { [manifest.version]: { ...manifest, dist } },
    });
  }
  return address;
}
