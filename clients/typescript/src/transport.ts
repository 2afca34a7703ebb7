import type { Answer } from './reply.js';

/** Carries commands to Redis. One attempt is under way at most; the sender sees to that. */
export interface Transport {
  /** Resolves once commands can be sent; rejects, within its time-out, where they cannot. */
  open(): Promise<void>;

  /** Sends commands at once and resolves with what became of them, in order. Never rejects. */
  send(commands: readonly (readonly string[])[]): Promise<Answer[]>;

  /**
   * Asks the server that holds the stream; `null` where it is not known yet which one that is,
   * `undefined` where it does not answer. Never rejects.
   */
  ask(question: readonly string[]): Promise<Answer>;

  /** Ends the connection; `open` makes a new one. */
  close(): void;
}

/** A transport's patience. */
export interface Timeouts {
  connectMs: number;
  answerMs: number;
}
