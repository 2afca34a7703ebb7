const SECRET_ENDINGS = [
  'password',
  'passwd',
  'secret',
  'token',
  'authorization',
  'cookie',
  'apikey',
  'accesskey',
  'privatekey',
  'credential',
  'credentials',
];

/** Keys are few and repeat; data that makes up keys without end must not grow the table. */
const KEYS_MAX = 4_096;

/** What stands in place of a secret. */
export const REDACTED = '[redacted]';

/** Knows which keys hold secrets. */
export class Redactor {
  readonly #endings: string[];
  readonly #known = new Map<string, boolean>();

  constructor(extraKeys: readonly string[]) {
    this.#endings = [...SECRET_ENDINGS, ...extraKeys.map(normalised).filter((key) => key !== '')];
  }

  /** Does a key end like one that holds a secret? Case, `_` and `-` make no difference. */
  isSecret(key: string): boolean {
    const known = this.#known.get(key);
    return known ?? this.#judge(key);
  }

  #judge(key: string): boolean {
    const plain = normalised(key);
    const secret = this.#endings.some((ending) => plain.endsWith(ending));
    if (this.#known.size >= KEYS_MAX) {
      this.#known.clear();
    }
    this.#known.set(key, secret);
    return secret;
  }
}

function normalised(key: string): string {
  return key.toLowerCase().replace(/[_-]/g, '');
}
