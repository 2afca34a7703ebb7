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

/** What Redis answers to the commands that are sent here. */
export type Reply = string | number | null | readonly string[] | RedisRefusal;

/** What became of a command: `undefined` where no answer came, and Redis may have executed it or not. */
export type Answer = Reply | undefined;
