import type { Reply } from './resp.js';

/** Carries commands to Redis. One attempt is under way at most; the sender sees to that. */
export interface Transport {
  /** Resolves once commands can be sent; rejects, within its time-out, where they cannot. */
  open(): Promise<void>;

  /**
   * Sends commands at once and resolves with their answers in order, never rejecting. Where the
   * connection was lost or the time ran out, the answers are fewer than the commands.
   */
  send(commands: readonly (readonly string[])[]): Promise<Reply[]>;

  /** Ends the connection; `open` makes a new one. */
  close(): void;
}

/** A transport's patience. */
export interface Timeouts {
  connectMs: number;
  answerMs: number;
}
