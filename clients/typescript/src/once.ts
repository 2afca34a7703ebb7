import type { StreamSettings } from './wire.js';

/** How long Redis remembers that an event was written. A process that is further behind writes it again. */
const REMEMBERED_MS = 600_000;

/**
 * Both commands at once: a process that dies between them would leave an event that nobody writes. Errors are handed
 * on as they are, since older servers hide their code behind one of the script's.
 */
const ADD_ONCE = `local first = redis.pcall('SET', KEYS[2], '', 'NX', 'PX', ARGV[1])
if not first then return false end
if first.err then return first end
return redis.pcall('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(ARGV, 3))`;

/** The command that adds an entry of these fields unless one was added under that key. */
export function addOnceCommand(key: string, fields: readonly string[], stream: StreamSettings): string[] {
  const limits = [String(REMEMBERED_MS), String(stream.maxLength)];
  return ['EVAL', ADD_ONCE, '2', stream.name, besideStream(stream.name, key), ...limits, ...fields];
}

/** A key that a cluster keeps where it keeps the stream. */
function besideStream(stream: string, key: string): string {
  return `${stream.includes('{') ? stream : `{${stream}}`}:once:${key}`;
}
