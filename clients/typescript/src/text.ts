/** Longer strings are cut. */
export const STRING_CHARS_MAX = 2_048;

/** Cuts a string to its first 2,048 characters (code points) and says how many are missing. */
export function cutString(text: string): string {
  if (text.length <= STRING_CHARS_MAX) {
    return text;
  }
  let chars = 0;
  let end = 0;
  for (let unit = 0; unit < text.length; unit += 1) {
    if (isPairAt(text, unit)) {
      unit += 1;
    }
    chars += 1;
    if (chars === STRING_CHARS_MAX) {
      end = unit + 1;
    }
  }
  return chars <= STRING_CHARS_MAX ? text : `${text.slice(0, end)}…[cut ${chars - STRING_CHARS_MAX} chars]`;
}

function isPairAt(text: string, unit: number): boolean {
  const first = text.charCodeAt(unit);
  const second = text.charCodeAt(unit + 1);
  return first >= 0xd800 && first <= 0xdbff && second >= 0xdc00 && second <= 0xdfff;
}

/** An escaped half of a surrogate pair, with the escaped backslashes that may stand before it. */
const ESCAPED_HALF = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

/**
 * JSON text whose strings are all valid Unicode. `JSON.stringify` writes half a surrogate pair,
 * as a string cut in the middle of an emoji has, as an escape that strict readers refuse.
 */
export function wellFormedJson(json: string): string {
  return json.includes('\\ud') ? json.replace(ESCAPED_HALF, '$1\ufffd') : json;
}
