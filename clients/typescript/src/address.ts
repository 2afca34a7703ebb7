/** A host and a port. */
export interface Node {
  host: string;
  port: number;
}

/** A node as `host:port`. */
export function nodeName({ host, port }: Node): string {
  return `${host}:${port}`;
}

/** Where Redis is, and how to get in. */
export interface Address {
  kind: 'single' | 'sentinel' | 'cluster';
  /** The server; or the sentinels; or some nodes of the cluster. */
  nodes: Node[];
  /** The name under which sentinels know the server. */
  master: string | undefined;
  /** Where the server listens on a Unix socket. */
  path: string | undefined;
  tls: boolean;
  username: string | undefined;
  password: string | undefined;
  database: number;
}

const REDIS_PORT = 6379;
const SENTINEL_PORT = 26379;

const KINDS: Record<string, Pick<Address, 'kind' | 'tls'>> = {
  redis: { kind: 'single', tls: false },
  rediss: { kind: 'single', tls: true },
  'redis+sentinel': { kind: 'sentinel', tls: false },
  'rediss+sentinel': { kind: 'sentinel', tls: true },
  'redis+cluster': { kind: 'cluster', tls: false },
  'rediss+cluster': { kind: 'cluster', tls: true },
};

/** The login reaches to the last `@` before the path. */
const URL_PARTS = /^([a-z+]+):\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i;

/** No part of an address that cannot be read is shown: who knows which one is the password. */
const UNREADABLE =
  'the address of Redis (REDIS_URL, or REDIS_HOST and REDIS_PORT) cannot be read: it is redis://, rediss://, redis+sentinel://, redis+cluster:// (or rediss+…) or ' +
  'unix://, and in names and passwords the characters @ / ? # % are written %40 %2F %3F %23 %25';

/**
 * Reads an address: `redis://`, `rediss://`, `redis+sentinel://…/<master>[/<db>]`,
 * `redis+cluster://…`, `unix://<path>[?db=…&user=…&pass=…]`. Throws where it is none of these.
 */
export function parseAddress(url: string): Address {
  const [, scheme = '', login = '', hosts = '', path = '', query = ''] = URL_PARTS.exec(url.trim()) ?? [];
  const name = scheme.toLowerCase();
  if (name === 'unix' || name === 'redis+unix') {
    return parseSocket(`/${path}`, new URLSearchParams(query));
  }
  const kind = KINDS[name];
  if (!kind) {
    throw new Error(UNREADABLE);
  }
  const parts = path.split('/').filter((part) => part !== '');
  const master = kind.kind === 'sentinel' ? decoded(parts.shift() ?? 'mymaster') : undefined;
  return {
    ...empty(),
    ...kind,
    ...parseLogin(login),
    nodes: hosts.split(',').map((host) => parseNode(host, kind.kind === 'sentinel' ? SENTINEL_PORT : REDIS_PORT)),
    master,
    database: parseDatabase(parts),
  };
}

function parseSocket(path: string, query: URLSearchParams): Address {
  return {
    ...empty(),
    path: decoded(path),
    username: query.get('user') ?? undefined,
    password: query.get('pass') ?? undefined,
    database: parseDatabase([query.get('db') ?? '0']),
  };
}

function parseDatabase([database = '0', ...others]: string[]): number {
  if (!/^\d+$/.test(database) || others.length > 0) {
    throw new Error(UNREADABLE);
  }
  return Number(database);
}

function empty(): Address {
  return {
    kind: 'single',
    nodes: [],
    master: undefined,
    path: undefined,
    tls: false,
    username: undefined,
    password: undefined,
    database: 0,
  };
}

function parseLogin(login: string): Pick<Address, 'username' | 'password'> {
  const colon = login.indexOf(':');
  const name = colon < 0 ? login : login.slice(0, colon);
  const password = colon < 0 ? '' : login.slice(colon + 1);
  return {
    username: name === '' ? undefined : decoded(name),
    password: password === '' ? undefined : decoded(password),
  };
}

/** Reads `host`, `host:port` or `[IPv6]:port`. */
function parseNode(text: string, defaultPort: number): Node {
  const [, bracketed, plain, port] = /^(?:\[([^[\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(text.trim()) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) {
    throw new Error(UNREADABLE);
  }
  return { host, port: port ? Number(port) : defaultPort };
}

/** A `%` that begins no escape stands for itself. */
function decoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes);
    } catch {
      return escapes;
    }
  });
}
