// What is carried: other people's work as npm has it, and no more than a slow line takes at once.
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { vendored } from './vendor.mjs'

const assets = new URL('../../crates/serve/page/assets/', import.meta.url)
const read = file => readFileSync(new URL(file, assets))
const packed = file => gzipSync(read(file), { level: 9 }).length

test('what is vendored is what npm has, and the README says its hash', () => {
  const files = vendored()
  for (const { file, text } of files) assert.equal(read(`vendor/${file}`).toString(), text, `${file}: run \`npm --prefix tests/page run vendor\``)
  assert.deepEqual(readdirSync(new URL('vendor/', assets)).sort(), files.map(one => one.file).sort())
})

/** What a module imports before it runs, itself included. */
function needed(file, found = new Set()) {
  if (found.has(file)) return found
  found.add(file)
  for (const [, from] of read(file).toString().matchAll(/(?:^|[\s};])(?:import|export)\s*(?:[\w*{][^'"]*?from\s*)?["'](\.[^'"]+)["']/g)) {
    needed(new URL(from, new URL(file, assets)).href.slice(assets.href.length), found)
  }
  return found
}

test('the first view is at most 80 kB, all of them 120 kB', () => {
  const first = new Set([...needed('app.js'), ...needed('views/home.js'), 'style.css', 'icon.svg', '../index.html'])
  const size = [...first].reduce((sum, file) => sum + packed(file), 0)
  assert.ok(size <= 80_000, `the first view is ${size} bytes`)
  const all = readdirSync(assets, { recursive: true }).map(String).filter(file => /\.(js|css|svg)$/.test(file))
  const whole = [...all, '../index.html'].reduce((sum, file) => sum + packed(file), 0)
  assert.ok(whole <= 120_000, `all of them are ${whole} bytes`)
  console.log(`first view ${size} bytes, all ${whole}`)
})

test('index.html names beforehand all that the first view needs at once', () => {
  const text = read('../index.html').toString()
  const named = new Set([...text.matchAll(/href="assets\/([^"]+\.js)"/g)].map(match => match[1]))
  for (const file of needed('app.js')) assert.ok(named.has(file), `${file} is not preloaded`)
})
