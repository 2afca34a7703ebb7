/** An error that Redis answered with. Its first word is the code: `OOM`, `NOPERM`, … */
export class RedisRefusal {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }

  get code(): string {
    return this.message.split(' ', 1)[0] ?? '';
  }
}

/** What Redis answers, in version 2 of its protocol. */
export type Reply = string | number | null | RedisRefusal | Reply[];

/** Words up to this long are likely to come again in the same batch: names of fields, types, ids. */
const REPEATED_CHARS_MAX = 40;

/** Writes commands in Redis' protocol. */
export function encodeCommands(commands: readonly (readonly string[])[]): string {
  // Measuring a word's bytes is most of the work, and most words of a batch are the same ones.
  const repeated = new Map<string, string>();
  let text = '';
  for (const words of commands) {
    text += `*${words.length}\r\n`;
    for (const word of words) {
      text += word.length > REPEATED_CHARS_MAX ? encodeWord(word) : (repeated.get(word) ?? remember(repeated, word));
    }
  }
  return text;
}

function remember(repeated: Map<string, string>, word: string): string {
  const encoded = encodeWord(word);
  repeated.set(word, encoded);
  return encoded;
}

function encodeWord(word: string): string {
  return `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
}

const CARRIAGE_RETURN = 13;

/** Splits the bytes that Redis sends into replies, however they are cut into chunks. */
export class ReplyParser {
  #buffer: Buffer = Buffer.alloc(0);
  #at = 0;

  /** The replies that are complete with this chunk. Throws where the bytes are no replies. */
  feed(chunk: Buffer): Reply[] {
    this.#buffer = this.#buffer.length === 0 ? chunk : Buffer.concat([this.#buffer, chunk]);
    this.#at = 0;
    const replies: Reply[] = [];
    let complete = 0;
    for (let reply = this.#reply(); reply !== undefined; reply = this.#reply()) {
      replies.push(reply);
      complete = this.#at;
    }
    this.#buffer = this.#buffer.subarray(complete);
    return replies;
  }

  /** The next reply, or `undefined` where it is not all there yet. */
  #reply(): Reply | undefined {
    const line = this.#line();
    if (line === undefined) {
      return undefined;
    }
    const rest = line.slice(1);
    switch (line[0]) {
      case '+':
        return rest;
      case '-':
        return new RedisRefusal(rest);
      case ':':
        return Number(rest);
      case '$':
        return this.#bulk(Number(rest));
      case '*':
        return this.#array(Number(rest));
      default:
        throw new Error('the server does not speak the protocol of Redis');
    }
  }

  #line(): string | undefined {
    const end = this.#buffer.indexOf(CARRIAGE_RETURN, this.#at);
    if (end < 0 || end + 1 >= this.#buffer.length) {
      return undefined;
    }
    const line = this.#buffer.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #bulk(length: number): string | null | undefined {
    if (length < 0) {
      return null;
    }
    const end = this.#at + length;
    if (end + 2 > this.#buffer.length) {
      return undefined;
    }
    const text = this.#buffer.toString('utf8', this.#at, end);
    this.#at = end + 2;
    return text;
  }

  #array(length: number): Reply[] | null | undefined {
    if (length < 0) {
      return null;
    }
    const items: Reply[] = [];
    while (items.length < length) {
      const item = this.#reply();
      if (item === undefined) {
        return undefined;
      }
      items.push(item);
    }
    return items;
  }
}
