export { RecordedEvents, recordEvents } from './recorded_events.js';
export type { RecordedEvent } from '../recording.js';
