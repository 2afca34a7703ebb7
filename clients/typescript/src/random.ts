/** What is drawn at once: a request takes a few bytes, and each draw costs as much as many of them. */
const POOL_BYTES = 1024;

/** Each byte's two digits. */
const digits = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const pool = new Uint8Array(POOL_BYTES);
let taken = POOL_BYTES;

/** So many random bytes as lower-case hexadecimal digits. */
export function randomHex(bytes: number): string {
  if (taken + bytes > POOL_BYTES) {
    draw();
    taken = 0;
  }
  let hex = '';
  for (const end = taken + bytes; taken < end; taken += 1) {
    hex += digits[pool[taken] ?? 0];
  }
  return hex;
}

/** By the global `crypto`, which is loaded when it is used; `node:crypto` would be loaded with this package. */
function draw(): void {
  const { crypto } = globalThis as { crypto?: { getRandomValues(bytes: Uint8Array): unknown } };
  if (crypto) {
    crypto.getRandomValues(pool);
    return;
  }
  // Node 18 has none unless told to. Nothing here is a secret: ids need to differ, and these do.
  pool.forEach((_, index) => {
    pool[index] = Math.floor(Math.random() * 256);
  });
}
