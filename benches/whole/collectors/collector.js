// What a Node team would write: ioredis reads, JSON lines are appended. No fsync, no exactly once.
//
// Usage: node collector.js REDIS_URL STREAM GROUP FOLDER. Drains the stream, and prints how many
// entries it took and the most memory it used, in kB.

const fs = require("node:fs");
const Redis = require("ioredis");

const READ = 1000;

async function main(url, stream, group, folder) {
  const client = new Redis(url);
  await client.xgroup("CREATE", stream, group, "0");
  const file = fs.openSync(`${folder}/events.ndjson`, "a");
  let taken = 0;
  let acknowledged = Promise.resolve();
  for (;;) {
    const reply = await client.xreadgroup("GROUP", group, "node", "COUNT", READ, "STREAMS", stream, ">");
    if (!reply) break;
    const entries = reply[0][1];
    const lines = entries.map(([id, fields]) => {
      const event = { id };
      for (let at = 0; at < fields.length; at += 2) event[fields[at]] = fields[at + 1];
      return JSON.stringify(event);
    });
    fs.writeSync(file, `${lines.join("\n")}\n`);
    acknowledged = client.xack(stream, group, ...entries.map(([id]) => id));
    taken += entries.length;
  }
  await acknowledged;
  console.log(taken, process.resourceUsage().maxRSS);
  client.disconnect();
}

main(...process.argv.slice(2));
