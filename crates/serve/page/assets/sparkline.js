// A histogram a few millimetres high: events in one colour, errors above them in another.

/** @param {string} name */
export const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/**
 * Makes a canvas as fine as the screen.
 * @param {HTMLCanvasElement} canvas
 */
export function sharp(canvas) {
  const scale = devicePixelRatio || 1
  const width = canvas.clientWidth
  const height = canvas.clientHeight
  const [wide, high] = [Math.round(width * scale), Math.round(height * scale)]
  if (canvas.width !== wide || canvas.height !== high) Object.assign(canvas, { width: wide, height: high })
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'))
  pen.setTransform(scale, 0, 0, scale, 0, 0)
  pen.clearRect(0, 0, width, height)
  return { pen, width, height }
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {{from_ms: number, until_ms: number, key: string, count: number}[]} bars
 * @param {number} since
 * @param {number} until
 */
export function drawBars(canvas, bars, since, until) {
  const { pen, width, height } = sharp(canvas)
  /** @type {Map<number, {until: number, events: number, errors: number}>} */
  const sums = new Map()
  for (const bar of bars) {
    const sum = sums.get(bar.from_ms) ?? { until: bar.until_ms, events: 0, errors: 0 }
    sum.events += bar.count
    if (bar.key === 'error') sum.errors += bar.count
    sums.set(bar.from_ms, sum)
  }
  const most = Math.max(1, ...[...sums.values()].map(sum => sum.events))
  const x = (/** @type {number} */ ms) => ((ms - since) / (until - since)) * width
  for (const [from, sum] of sums) {
    const left = x(from)
    const wide = Math.max(1, x(sum.until) - left - 1)
    const high = (sum.events / most) * (height - 1)
    pen.fillStyle = colour('--s0')
    pen.fillRect(left, height - high, wide, high)
    if (!sum.errors) continue
    // One error of ten thousand events is still to be seen.
    const red = Math.max(2, (sum.errors / most) * (height - 1))
    pen.fillStyle = colour('--bad')
    pen.fillRect(left, height - red, wide, red)
  }
}
