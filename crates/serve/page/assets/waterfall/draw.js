// Draws the bars of a waterfall that are in sight.
import { colour, sharp } from '../sparkline.js'

/** @typedef {import('./rows.js').Row} Row */
/**
 * @typedef {object} Sight
 * @property {Row[]} rows
 * @property {number} first the first row in sight
 * @property {number} offset pixels between the canvas' upper edge and that row's
 * @property {number} rowHeight
 * @property {number[]} times of all events
 * @property {(ms: number) => number} x from time to a pixel
 * @property {number[]} ticks
 * @property {[number, number][]} shortened
 * @property {string[]} services in the order of their colours
 * @property {number} selected
 */

/** @param {HTMLCanvasElement} canvas @param {Sight} sight */
export function draw(canvas, sight) {
  const { pen, width, height } = sharp(canvas)
  const ink = palette()
  const { x, rowHeight } = sight
  pen.fillStyle = ink.grid
  for (const time of sight.ticks) pen.fillRect(Math.round(x(time)), 0, 1, height)
  for (const [from, until] of sight.shortened) shortened(pen, x(from), x(until), height, ink)
  sight.rows.forEach((row, at) => {
    const top = sight.offset + at * rowHeight
    if (top > height || top < -rowHeight) return
    if (sight.first + at === sight.selected) {
      pen.fillStyle = ink.hover
      pen.globalAlpha = 0.7
      pen.fillRect(0, top, width, rowHeight)
      pen.globalAlpha = 1
    }
    one(pen, row, top, sight, ink, width)
  })
}

/**
 * @param {CanvasRenderingContext2D} pen @param {Row} row @param {number} top @param {Sight} sight
 * @param {ReturnType<typeof palette>} ink @param {number} width
 */
function one(pen, row, top, sight, ink, width) {
  const { x, rowHeight } = sight
  const left = x(row.from)
  const right = Math.max(left + 2, x(row.until))
  const middle = top + rowHeight / 2
  const service = row.service ? ink.services[Math.max(0, sight.services.indexOf(row.service)) % ink.services.length] : ink.soft
  const own = row.hasFailed ? ink.bad : service
  // A try that failed tells nothing about how long it takes.
  if (row.typical && !row.hasFailed && (row.kind === 'span' || row.kind === 'gap' || row.kind === 'wait')) {
    ghost(pen, left, x(row.from + row.typical), x(row.from + (row.rarely ?? row.typical)), top + 2, rowHeight - 4, ink)
  }
  pen.fillStyle = own
  if (row.kind === 'span') {
    pen.globalAlpha = row.isOpen ? 0.55 : 0.9
    block(pen, left, top + 6, right - left, rowHeight - 12)
    pen.globalAlpha = 1
    if (row.hasFailed) cross(pen, Math.min(right, width) + 6, middle, ink.bad)
    else if (row.isOpen) arrow(pen, right, middle, own)
  } else if (row.kind === 'gap') hatched(pen, left, top + 6, right - left, rowHeight - 12, row.often && row.often >= 3 ? ink.bad : ink.warn)
  else if (row.kind === 'wait') line(pen, left, right, middle, ink.soft)
  else if (row.kind === 'repeat') repeats(pen, row, sight, top, rowHeight, service, ink.bad)
  else dot(pen, left, middle, own, row.hasFailed)
}

function palette() {
  return {
    grid: colour('--grid'), soft: colour('--soft'), bad: colour('--bad'), warn: colour('--warn'), hover: colour('--hover'), ghost: colour('--soft'),
    card: colour('--card'), services: Array.from({ length: 8 }, (_, at) => colour(`--s${at}`)),
  }
}

/** @param {CanvasRenderingContext2D} pen @param {number} left @param {number} top @param {number} width @param {number} height */
function block(pen, left, top, width, height) {
  pen.beginPath()
  pen.roundRect(left, top, Math.max(2, width), height, Math.min(2.5, width / 2))
  pen.fill()
}

/**
 * What is typical, behind the bar: as long as half of them take, and paler as long as 99 of 100 take at most.
 * @param {CanvasRenderingContext2D} pen @param {number} left @param {number} half @param {number} most @param {number} top @param {number} height
 * @param {{ghost: string}} ink
 */
function ghost(pen, left, half, most, top, height, ink) {
  const width = Math.max(3, half - left)
  const wide = Math.max(width, most - left)
  pen.fillStyle = ink.ghost
  pen.globalAlpha = 0.18
  pen.fillRect(left, top, width, height)
  pen.globalAlpha = 0.09
  pen.fillRect(left + width, top, wide - width, height)
  pen.globalAlpha = 0.55
  pen.fillRect(left + width - 1, top, 1, height)
  pen.globalAlpha = 0.3
  if (wide > width) pen.fillRect(left + wide - 1, top, 1, height)
  pen.globalAlpha = 1
}

/** @param {CanvasRenderingContext2D} pen @param {number} left @param {number} top @param {number} width @param {number} height @param {string} ink */
function hatched(pen, left, top, width, height, ink) {
  pen.save()
  pen.beginPath()
  pen.rect(left, top, Math.max(2, width), height)
  pen.clip()
  pen.strokeStyle = ink
  pen.globalAlpha = 0.75
  pen.lineWidth = 1.2
  pen.beginPath()
  for (let x = left - height; x < Math.min(left + width, pen.canvas.width) + height; x += 5) {
    pen.moveTo(x, top + height)
    pen.lineTo(x + height, top)
  }
  pen.stroke()
  pen.strokeRect(left + 0.5, top + 0.5, Math.max(1, width - 1), height - 1)
  pen.restore()
}

/** @param {CanvasRenderingContext2D} pen @param {number} left @param {number} right @param {number} middle @param {string} ink */
function line(pen, left, right, middle, ink) {
  pen.fillStyle = ink
  pen.fillRect(left, middle - 0.75, Math.max(1, right - left), 1.5)
  pen.fillRect(left, middle - 4, 1.5, 8)
  pen.fillRect(right - 1.5, middle - 4, 1.5, 8)
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {string} ink @param {boolean} hasFailed */
function dot(pen, x, y, ink, hasFailed) {
  if (hasFailed) return cross(pen, x, y, ink)
  pen.fillStyle = ink
  pen.beginPath()
  pen.arc(x, y, 3, 0, 7)
  pen.fill()
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {string} ink */
function cross(pen, x, y, ink) {
  pen.strokeStyle = ink
  pen.lineWidth = 2
  pen.beginPath()
  pen.moveTo(x - 3.5, y - 3.5)
  pen.lineTo(x + 3.5, y + 3.5)
  pen.moveTo(x + 3.5, y - 3.5)
  pen.lineTo(x - 3.5, y + 3.5)
  pen.stroke()
}

/** @param {CanvasRenderingContext2D} pen @param {number} x @param {number} y @param {string} ink */
function arrow(pen, x, y, ink) {
  pen.fillStyle = ink
  pen.beginPath()
  pen.moveTo(x, y - 5)
  pen.lineTo(x + 5, y)
  pen.lineTo(x, y + 5)
  pen.fill()
}

/**
 * A tick or a small bar for each, at most one a pixel; those that failed above the rest.
 * @param {CanvasRenderingContext2D} pen @param {Row} row @param {Sight} sight @param {number} top @param {number} height @param {string} ink @param {string} bad
 */
function repeats(pen, row, sight, top, height, ink, bad) {
  pen.fillStyle = ink
  pen.globalAlpha = 0.25
  pen.fillRect(sight.x(row.from), top + height / 2 - 0.5, Math.max(1, sight.x(row.until) - sight.x(row.from)), 1)
  for (const failed of [false, true]) {
    pen.fillStyle = failed ? bad : ink
    pen.globalAlpha = failed ? 1 : 0.8
    let last = -Infinity
    for (const [from, until, hasFailed] of row.pieces ?? []) {
      if (hasFailed !== failed) continue
      const x = Math.round(sight.x(from))
      const right = Math.max(x + 1.5, sight.x(until))
      if (right - last < 1) continue
      last = right
      pen.fillRect(x, top + (failed ? 4 : 7), right - x, height - (failed ? 8 : 14))
    }
  }
  pen.globalAlpha = 1
}

/**
 * The place of a silence that is drawn short.
 * @param {CanvasRenderingContext2D} pen @param {number} left @param {number} right @param {number} height @param {{card: string, grid: string}} ink
 */
function shortened(pen, left, right, height, ink) {
  pen.fillStyle = ink.card
  pen.fillRect(left, 0, right - left, height)
  pen.strokeStyle = ink.grid
  pen.lineWidth = 1
  for (const x of [left, right]) {
    pen.beginPath()
    for (let y = 0; y <= height; y += 6) pen.lineTo(x + (y % 12 ? 2 : -2), y)
    pen.stroke()
  }
}
