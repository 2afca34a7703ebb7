import { apiTelemetry } from '@emp/events';

/** Something a service does. */
export async function order(id: string): Promise<void> {
  await apiTelemetry.jobEvent(id, 'job.created', { jobType: 'order' });
}
