// What a test does to a container past the program that is tested, in the protocol's own words.
//
// azure_objects.mjs ENDPOINT CONTAINER KEY make
//                                          names         one a line
//                                          put NAME      the bytes are its standard input
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [endpoint, container, key, action, name = ''] = process.argv.slice(2);
const account = new URL(endpoint).pathname.slice(1);
const [method, query, body] = {
  make: ['PUT', { restype: 'container' }, Buffer.alloc(0)],
  names: ['GET', { comp: 'list', restype: 'container' }, Buffer.alloc(0)],
  put: ['PUT', {}, name && readFileSync(0)],
}[action];
const path = name ? `${container}/${encodeURIComponent(name).replaceAll('%2F', '/')}` : container;
const own = { 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-12-02' };
if (name) own['x-ms-blob-type'] = 'BlockBlob';
const headers = Object.keys(own).sort().map((header) => `${header}:${own[header]}\n`).join('');
const resource = `/${account}/${account}/${path}` + Object.keys(query).map((of) => `\n${of}:${query[of]}`).join('');
const signed = `${method}\n\n\n${body.length || ''}\n\n\n\n\n\n\n\n\n${headers}${resource}`;
const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(signed).digest('base64');
const answer = await fetch(`${endpoint}/${path}?${new URLSearchParams(query)}`, {
  method,
  headers: { ...own, authorization: `SharedKey ${account}:${signature}` },
  body: method === 'PUT' ? body : undefined,
});
const text = await answer.text();
if (!answer.ok) throw new Error(`${answer.status} ${text}`);
for (const [, found] of text.matchAll(/<Name>([^<]*)<\/Name>/g)) console.log(found);
