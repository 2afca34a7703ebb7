// From time to place and back. Long silences may be drawn short, so that what happened before and after is seen.

/** Silences of this share of the whole are long. */
const LONG = 0.5
/** What a long silence has of the width of all the rest. */
const SHORT = 0.18

/**
 * @typedef {object} Scale
 * @property {(ms: number) => number} at from time to a share of the width
 * @property {(share: number) => number} time
 * @property {[from: number, until: number][]} shortened
 */

/**
 * @param {number} from @param {number} until @param {number[]} times when something happened, in order
 * @returns {[number, number][]} the silences that are long
 */
export function longSilences(from, until, times) {
  const all = until - from
  /** @type {[number, number][]} */
  const found = []
  let last = from
  for (const time of [...times, until]) {
    if (time - last > all * LONG) found.push([last, time])
    last = Math.max(last, time)
  }
  return found
}

/**
 * @param {number} from @param {number} until
 * @param {[number, number][]} silences those that are drawn short
 * @returns {Scale}
 */
export function scaleOf(from, until, silences) {
  const rest = until - from - silences.reduce((sum, [a, b]) => sum + b - a, 0)
  const isShort = silences.length > 0 && rest > 0
  /** @type {{from: number, until: number, left: number, width: number}[]} */
  const pieces = []
  let [left, last] = [0, from]
  const add = (/** @type {number} */ end, /** @type {number} */ width) => {
    if (end > last) pieces.push({ from: last, until: end, left, width })
    left += end > last ? width : 0
    last = Math.max(last, end)
  }
  for (const [a, b] of isShort ? silences : []) {
    add(a, a - last)
    add(b, rest * SHORT)
  }
  add(until, until - last)
  const whole = left || 1
  return {
    shortened: isShort ? silences : [],
    at(ms) {
      const piece = pieces.find(one => ms <= one.until) ?? pieces[pieces.length - 1]
      if (!piece) return 0
      return (piece.left + ((ms - piece.from) / (piece.until - piece.from)) * piece.width) / whole
    },
    time(share) {
      const place = share * whole
      const piece = pieces.find(one => place <= one.left + one.width) ?? pieces[pieces.length - 1]
      return piece ? piece.from + ((place - piece.left) / piece.width) * (piece.until - piece.from) : from
    },
  }
}

const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000,
  1_800_000, 3_600_000, 7_200_000, 21_600_000, 43_200_000, 86_400_000, 172_800_000, 604_800_000]

/**
 * Where the ruler has a mark: round times since the beginning, none inside of what is drawn short.
 * @param {Scale} scale @param {number} from @param {number} until what is seen
 * @param {number} zero @param {number} most
 */
export function ticks(scale, from, until, zero, most) {
  const seen = until - from - scale.shortened.reduce((sum, [a, b]) => sum + Math.max(0, Math.min(b, until) - Math.max(a, from)), 0)
  const step = STEPS.find(one => seen / one <= most) ?? STEPS[STEPS.length - 1]
  /** @type {number[]} */
  const found = []
  const isInside = (/** @type {number} */ time) => scale.shortened.find(([a, b]) => time > a && time < b)
  for (let time = zero + Math.ceil((from - zero) / step) * step; time <= until && found.length < 60; time += step) {
    const silence = isInside(time)
    if (silence) time = zero + Math.floor((silence[1] - zero) / step) * step
    else found.push(time)
  }
  return found
}
