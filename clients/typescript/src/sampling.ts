// The hash is part of the contract with the other clients: every service must keep or leave out
// the same traces, or a sampled job would have holes.

const encoder = new TextEncoder();
const MASK_64 = (1n << 64n) - 1n;

/** A number in [0, 1) that is the same for the same key in every client. */
export function sampleFraction(key: string): number {
  return Number(mix(fnv1a(key)) >> 11n) / 2 ** 53;
}

/** FNV-1a of 64 bits over the key's UTF-8, in two halves of 32 bits: big integers are slow. */
function fnv1a(key: string): bigint {
  let high = 0xcbf29ce4;
  let low = 0x84222325;
  for (const byte of encoder.encode(key)) {
    low = (low ^ byte) >>> 0;
    // The prime is 2^40 + 0x1b3.
    const product = low * 0x1b3;
    high = (Math.imul(high, 0x1b3) + Math.floor(product / 2 ** 32) + (low << 8)) >>> 0;
    low = product >>> 0;
  }
  return (BigInt(high) << 32n) | BigInt(low);
}

/** The finaliser of MurmurHash3: FNV alone leaves the top bits of short keys alike. */
function mix(hash: bigint): bigint {
  let mixed = hash ^ (hash >> 33n);
  mixed = (mixed * 0xff51afd7ed558ccdn) & MASK_64;
  mixed ^= mixed >> 33n;
  mixed = (mixed * 0xc4ceb9fe1a85ec53n) & MASK_64;
  return mixed ^ (mixed >> 33n);
}

/** Which share of the events of a type is kept. */
export class SampleRates {
  readonly #rates: [pattern: string, rate: number][];

  constructor(rates: Record<string, number>) {
    this.#rates = Object.entries(rates).filter(([, rate]) => rate >= 0 && rate < 1);
  }

  /** The rate for a type, or `undefined` where all are kept. An exact name wins over a `*`. */
  rateOf(type: string): number | undefined {
    const exact = this.#rates.find(([pattern]) => pattern === type);
    const found = exact ?? this.#rates.find(([pattern]) => matches(pattern, type));
    return found?.[1];
  }
}

function matches(pattern: string, type: string): boolean {
  return pattern.endsWith('*') && type.startsWith(pattern.slice(0, -1));
}

/** Reads `job.progress_updated=0.1,websocket.*=0.5`; parts that make no sense are left out. */
export function parseSampleRates(text: string): Record<string, number> {
  const rates: Record<string, number> = {};
  for (const part of text.split(',')) {
    const [pattern, rate] = part.split('=').map((piece) => piece.trim());
    if (pattern && rate && Number.isFinite(Number(rate))) {
      rates[pattern] = Number(rate);
    }
  }
  return rates;
}
