// What the three services of the example share.
import { setTimeout as sleep } from 'node:timers/promises';

export const API_PORT = Number(process.env.EXAMPLE_API_PORT ?? 0);
export const WEBHOOK_PORT = Number(process.env.EXAMPLE_WEBHOOK_PORT ?? 0);

/** Sends JSON and reads the JSON of the answer. */
export async function postJson(url, body, headers = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return response.status === 204 ? undefined : response.json();
}

/** Reads the body of a request as JSON. */
export async function readJson(request) {
  let text = '';
  for await (const chunk of request) {
    text += chunk;
  }
  return text === '' ? {} : JSON.parse(text);
}

/** Works for about so long. */
export function work(ms) {
  return sleep(ms * (0.7 + Math.random() * 0.6));
}
