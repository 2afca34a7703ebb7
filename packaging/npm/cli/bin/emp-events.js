#!/usr/bin/env node
// Runs the program that npm has installed for this platform, as if it had been called itself.
'use strict';

const { spawn } = require('node:child_process');

const platform = `${process.platform}-${process.arch}`;
const name = `@emp/events-cli-${platform}`;

let program;
try {
  program = require.resolve(`${name}/bin/emp-events`);
} catch {
  const known = Object.keys(require('../package.json').optionalDependencies ?? {}).map((one) => one.split('-cli-')[1]);
  const isMusl = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime;
  let reason = `there is no package for ${platform}, only for ${known.join(', ')}`;
  if (isMusl) {
    reason = 'there is no package for this C library, only for glibc: use the image, or a distribution that has it';
  } else if (known.includes(platform)) {
    reason = `the package ${name} is missing: install without --omit=optional, and on the platform that it is to run on`;
  }
  console.error(`emp-events: ${reason}`);
  process.exit(1);
}

const child = spawn(program, process.argv.slice(2), { stdio: 'inherit' });
child.on('error', (error) => {
  console.error(`emp-events: ${program} does not start: ${error.message}`);
  process.exit(1);
});
// Ctrl-C reaches both of a terminal; what is sent to this process alone is handed on. The program decides when it ends.
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
for (const signal of signals) {
  process.on(signal, () => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) {
      child.kill(signal);
    }
  });
}
child.on('exit', (status, signal) => {
  if (signal === null) {
    process.exitCode = status;
    return;
  }
  signals.forEach((one) => process.removeAllListeners(one));
  process.kill(process.pid, signal);
});
