// Fresh projects that have nothing but what npm installs from packed files.
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { RedisServer, temporaryFolder } from '../../clients/typescript/tests/redis.mjs';
import { pack, serve } from './registry.mjs';

export const here = dirname(fileURLToPath(import.meta.url));
const client = join(here, '../../clients/typescript');

// `@emp/events` does nothing in a test runner unless it is asked to: so it is in the projects, as in anybody's.
delete process.env.TELEMETRY_ENABLED;
const inherited = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_TEST)/i.test(name)));

/** The client as it is published, with what it depends on. The client was built before. */
function packedClient(folder) {
  const dependencies = ['@redis/client', 'cluster-key-slot'].map((name) => join(here, 'node_modules', name));
  execFileSync('cp', [join(here, '../../LICENSE-MIT'), join(here, '../../LICENSE-APACHE'), client]);
  return [client, ...dependencies].map((one) => pack(one, folder));
}

/** Runs a program in a folder; what it says, on both lines, is in the error where it fails. */
export async function run(program, words, folder, environment = {}) {
  const { stdout } = await promisify(execFile)(program, words, { cwd: folder, env: { ...inherited, ...environment } })
    .catch(({ code, stdout, stderr }) => {
      throw new Error(`${program} ${words.join(' ')} in ${folder}: ${code}\n${stdout}\n${stderr}`);
    });
  return stdout;
}

/** A project's own program of a tool, from what is installed here. */
export const tool = (name) => join(here, 'node_modules/.bin', name);

/** A registry with the client and a Redis, both until the tests end; and projects made of them. */
export class Workbench {
  /** What is to be done at the end. */
  #ends = [];
  #registry;
  #redis;
  /** The client's packed file. */
  packed;

  static async start() {
    const bench = new Workbench();
    const test = { after: (end) => bench.#ends.push(end) };
    const files = packedClient(temporaryFolder(test));
    [bench.packed] = files;
    bench.#registry = await serve(test, files);
    bench.#redis = await RedisServer.start(test);
    return bench;
  }

  async end() {
    for (const end of this.#ends.reverse()) {
      await end();
    }
  }

  /** A project with the files of `projects/NAME`, and the client installed. */
  async project(name) {
    const folder = join(here, 'fresh', name);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    cpSync(join(here, 'projects', name), folder, { recursive: true });
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: `fresh-${name}`, private: true }));
    const words = ['install', '@emp/events', '--registry', this.#registry, '--no-audit', '--no-fund', '--silent'];
    await run('npm', [...words, '--cache', join(folder, '.npm')], folder);
    return folder;
  }

  /** Where a project finds Redis. */
  get environment() {
    return { REDIS_URL: this.#redis.url };
  }

  /** Who has told Redis what, by name. */
  async told() {
    const told = (await this.#redis.entries()).map(({ service, eventType }) => ({ service, eventType }));
    return told.sort((one, other) => (one.service < other.service ? -1 : 1));
  }
}
