import { type Answer, RedisRefusal } from './reply.js';
import type { PendingEvent } from './types.js';

/** Answers that are about the moment: the same event may be taken later, or by another server. */
const PASSING = new Set([
  'OOM',
  'READONLY',
  'LOADING',
  'BUSY',
  'MISCONF',
  'MASTERDOWN',
  'NOREPLICAS',
  'CLUSTERDOWN',
  'TRYAGAIN',
  'MOVED',
  'ASK',
]);

/** What became of a batch. */
export interface BatchOutcome {
  sent: number;
  /** Sent, and no answer came. */
  unanswered: number;
  /** Refused for good. */
  refused: number;
  /** Refused for now; Redis does not have them. */
  later: PendingEvent[];
  /** Refused for now, for want of memory. */
  outOfMemory: boolean;
  /** The first refusal, in Redis' words. */
  refusal: string | undefined;
}

/** Sorts a batch by what Redis answered. Missing answers count as unanswered. */
export function sortOutcome(batch: readonly PendingEvent[], answers: readonly Answer[]): BatchOutcome {
  const outcome: BatchOutcome = {
    sent: 0,
    unanswered: 0,
    refused: 0,
    later: [],
    outOfMemory: false,
    refusal: undefined,
  };
  batch.forEach((event, index) => {
    const answer = answers[index];
    if (answer === undefined) {
      outcome.unanswered += 1;
    } else if (answer instanceof RedisRefusal) {
      noteRefusal(outcome, event, answer);
    } else {
      outcome.sent += 1;
    }
  });
  return outcome;
}

function noteRefusal(outcome: BatchOutcome, event: PendingEvent, refusal: RedisRefusal): void {
  const { code } = refusal;
  outcome.refusal ??= refusal.message;
  outcome.outOfMemory ||= code === 'OOM';
  if (PASSING.has(code)) {
    outcome.later.push(event);
  } else {
    outcome.refused += 1;
  }
}
