// Numbers, times and durations as people read them: the same words as at the command line.
import { store } from './store.js'

/** The time zone that times are shown in; the server's, as its `--tz` has it. */
export const zone = store('UTC')

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map()

/**
 * @param {number} ms
 * @returns {{day: string, time: string, ms: string}}
 */
export function parts(ms) {
  const key = zone.get()
  let format = formats.get(key)
  if (!format) {
    const fields = /** @type {const} */ ({
      year: 'numeric', month: '2-digit', day: '2-digit',
      hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23',
    })
    try {
      format = new Intl.DateTimeFormat('en-CA', { ...fields, timeZone: key })
    } catch {
      format = new Intl.DateTimeFormat('en-CA', { ...fields, timeZone: 'UTC' })
    }
    formats.set(key, format)
  }
  /** @type {Record<string, string>} */
  const found = {}
  for (const part of format.formatToParts(ms)) found[part.type] = part.value
  return {
    day: `${found.year}-${found.month}-${found.day}`,
    time: `${found.hour}:${found.minute}:${found.second}`,
    ms: String(Math.floor(((ms % 1000) + 1000) % 1000)).padStart(3, '0'),
  }
}

/** @param {string | number | null | undefined} at */
export const toMs = at => (at == null ? NaN : typeof at === 'number' ? at : Date.parse(at))

/** @param {string | number | null | undefined} at */
export function moment(at) {
  const ms = toMs(at)
  if (Number.isNaN(ms)) return '–'
  const { day, time } = parts(ms)
  return `${day} ${time}`
}

/** @param {string | number | null | undefined} at */
export function clock(at) {
  const ms = toMs(at)
  if (Number.isNaN(ms)) return '–'
  const told = parts(ms)
  return `${told.time}.${told.ms}`
}

/** @param {number} ms */
export const iso = ms => new Date(ms).toISOString()

/** @param {number | null | undefined} n */
export function count(n) {
  return n == null ? '–' : Math.round(n).toLocaleString('en-US')
}

/** @param {number | null | undefined} n */
export function figure(n) {
  if (n == null || Number.isNaN(n)) return '–'
  const size = Math.abs(n)
  if (size >= 100 || Number.isInteger(n)) return count(n)
  return size >= 10 ? n.toFixed(1) : size >= 0.1 ? n.toFixed(2).replace(/0$/, '') : size === 0 ? '0' : n.toPrecision(2)
}

const STEPS = /** @type {const} */ ([['d', 86_400_000, 'h', 3_600_000], ['h', 3_600_000, 'm', 60_000], ['m', 60_000, 's', 1000]])

/**
 * @param {number | null | undefined} ms
 * @returns {string}
 */
export function duration(ms) {
  if (ms == null || Number.isNaN(ms)) return '–'
  if (ms < 0) return `−${duration(-ms)}`
  if (ms < 1000) return `${ms < 10 && !Number.isInteger(ms) ? ms.toFixed(1) : Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1).replace(/\.0$/, '')} s`
  for (const [big, size, small, part] of STEPS) {
    if (ms < size) continue
    const whole = Math.floor(ms / size)
    const rest = Math.floor((ms - whole * size) / part)
    return rest ? `${whole} ${big} ${rest} ${small}` : `${whole} ${big}`
  }
  return `${Math.round(ms / 1000)} s`
}

/** @param {number | null | undefined} n */
export function bytes(n) {
  if (n == null || Number.isNaN(n)) return '–'
  for (const [unit, size] of /** @type {[string, number][]} */ ([['GB', 1e9], ['MB', 1e6], ['kB', 1e3]])) {
    if (n >= size) return `${(n / size).toFixed(1)} ${unit}`
  }
  return `${n} bytes`
}

/** @param {number | null | undefined} share */
export function percent(share) {
  if (share == null || Number.isNaN(share)) return '–'
  const of100 = share * 100
  if (of100 === 0) return '0 %'
  return `${of100 >= 10 ? Math.round(of100) : of100 >= 0.1 ? of100.toFixed(1) : '<0.1'} %`
}

/**
 * How long ago, or `now`.
 * @param {string | number | null | undefined} at
 * @param {number} now
 */
export function ago(at, now) {
  const ms = toMs(at)
  if (Number.isNaN(ms)) return '–'
  return now - ms < 1000 ? 'now' : `${duration(Math.floor((now - ms) / 1000) * 1000)} ago`
}

/** @param {number} n @param {string} one @param {string} [many] */
export const some = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`
