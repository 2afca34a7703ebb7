import type { Node } from './address.js';
import { type Answer, RedisRefusal } from './reply.js';

/** What a node of a cluster answers where another one is to execute a command. */
export interface Redirect {
  node: Node;
  /** Only for now: the slot is being moved there, and takes a command that follows `ASKING`. */
  asking: boolean;
  /** The commands that got this answer. None of them was executed. */
  indexes: number[];
}

const REDIRECT = /^(MOVED|ASK) \d+ (\S+):(\d+)$/;

/** Finds the first redirect among the answers to some commands. */
export function findRedirect(answers: readonly Answer[]): Redirect | undefined {
  for (const answer of answers) {
    const [, code, host, port] = (answer instanceof RedisRefusal && REDIRECT.exec(answer.message)) || [];
    if (host !== undefined) {
      return {
        node: { host, port: Number(port) },
        asking: code === 'ASK',
        indexes: answers.flatMap((other, index) => (isSame(other, answer) ? [index] : [])),
      };
    }
  }
  return undefined;
}

function isSame(one: Answer, other: Answer): boolean {
  return one instanceof RedisRefusal && other instanceof RedisRefusal && one.message === other.message;
}
