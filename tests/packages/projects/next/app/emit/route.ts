import { EventClient } from '@emp/events';

export const dynamic = 'force-dynamic';

const client = new EventClient('next');

export async function GET(): Promise<Response> {
  await client.event('package.tried');
  return Response.json({ sent: await client.flush(240_000) });
}
