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

const URL_PARTS = /^([a-z+]+):\/\/(?:([^@/]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?.*)?$/i;

/**
 * Reads an address: `redis://`, `rediss://`, `redis+sentinel://…/<master>[/<db>]`,
 * `redis+cluster://…`, `unix://<path>`. Throws where it is none of these.
 */
export function parseAddress(url: string): Address {
  if (url.startsWith('unix://')) {
    return { ...empty(), path: url.slice('unix://'.length) };
  }
  const [, scheme = '', login = '', hosts = '', path = ''] = URL_PARTS.exec(url.trim()) ?? [];
  const kind = KINDS[scheme.toLowerCase()];
  if (!kind) {
    // The address itself may hold a password.
    throw new Error('the address of Redis is not one of redis://, rediss://, redis+sentinel:// or redis+cluster://');
  }
  const parts = path.split('/').filter((part) => part !== '');
  const master = kind.kind === 'sentinel' ? decodeURIComponent(parts.shift() ?? 'mymaster') : undefined;
  return {
    ...empty(),
    ...kind,
    ...parseLogin(login),
    nodes: hosts.split(',').map((host) => parseNode(host, kind.kind === 'sentinel' ? SENTINEL_PORT : REDIS_PORT)),
    master,
    database: Number(parts[0] ?? 0) || 0,
  };
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
  if (login === '') {
    return { username: undefined, password: undefined };
  }
  const colon = login.indexOf(':');
  const name = colon < 0 ? '' : login.slice(0, colon);
  const password = colon < 0 ? login : login.slice(colon + 1);
  return {
    username: name === '' ? undefined : decodeURIComponent(name),
    password: password === '' ? undefined : decodeURIComponent(password),
  };
}

/** Reads `host`, `host:port` or `[IPv6]:port`. */
function parseNode(text: string, defaultPort: number): Node {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*)):?(\d*)$/.exec(text.trim()) ?? [];
  const host = bracketed ?? plain ?? '';
  return { host: host === '' ? '127.0.0.1' : host, port: port ? Number(port) : defaultPort };
}
