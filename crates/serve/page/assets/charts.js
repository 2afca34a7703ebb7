// Charts over time: uPlot, with the colours of the page, and a table behind each.
import { html, useEffect, useLayoutEffect, useRef, useState } from './html.js'
import { colour } from './sparkline.js'
import { zone, figure, moment, parts } from './units.js'

/** @typedef {{name: string, colour: string, values: (number | null)[]}} Series */

/** The styles of uPlot come with the first chart. */
function addStyle() {
  if (document.querySelector('link[data-chart]')) return
  const style = document.createElement('link')
  Object.assign(style, { rel: 'stylesheet', href: 'assets/vendor/uplot.css' })
  style.dataset.chart = ''
  document.head.append(style)
}

/**
 * @param {object} props
 * @param {number[]} props.times where each bar or point begins, in ms
 * @param {Series[]} props.series
 * @param {string} props.label
 * @param {boolean} [props.stacked] bars upon each other
 * @param {(from: number, until: number) => void} [props.zoom] a range was drawn with the mouse
 * @param {number} [props.height]
 * @param {(value: number) => string} [props.format]
 * @param {[number, number]} [props.range] of the time axis
 */
export function Chart({ times, series, label, stacked, zoom, height = 150, format = figure, range }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null))
  const [shows, setShows] = useState(false)
  const [width, setWidth] = useState(0)
  const [dark, setDark] = useState(matchMedia('(prefers-color-scheme: dark)').matches)
  const [failure, setFailure] = useState('')
  useLayoutEffect(() => {
    const watch = new ResizeObserver(() => box.current && setWidth(Math.floor(box.current.clientWidth)))
    if (box.current) watch.observe(box.current)
    const media = matchMedia('(prefers-color-scheme: dark)')
    const changed = () => setDark(media.matches)
    media.addEventListener('change', changed)
    return () => {
      watch.disconnect()
      media.removeEventListener('change', changed)
    }
  }, [])
  useEffect(() => {
    if (!width || !times.length) return
    let chart = /** @type {any} */ (null)
    let isWanted = true
    addStyle()
    import('./vendor/uplot.js').then(({ default: Plot }) => {
      if (!isWanted || !box.current) return
      chart = new Plot(/** @type {any} */ (settings(Plot, { times, series, stacked, zoom, height, format, width, range })), /** @type {any} */ (dataOf(times, series, stacked)), box.current)
    }).catch(error => setFailure(String(error)))
    return () => {
      isWanted = false
      chart?.destroy()
    }
  }, [times, series, width, height, dark])
  return html`<figure class="chart"><div ref=${box} class="plot" role="img" aria-label=${label} style=${{ minHeight: `${height}px` }}></div>
    ${failure && html`<p class="bad">${failure}</p>`}
    <figcaption>${series.map(one => html`<span><i style=${{ background: colour(one.colour) }}></i>${one.name}</span>`)}<span class="grow"></span>
      <button type="button" class="quiet" aria-expanded=${shows} onClick=${() => setShows(!shows)}>${shows ? 'without table' : 'as a table'}</button></figcaption>
    ${shows && html`<div class="scroll behind" tabindex="0" role="region" aria-label=${`${label}, as a table`}><table><thead><tr><th scope="col">from</th>${series.map(one => html`<th scope="col" class="number">${one.name}</th>`)}</tr></thead>
      <tbody>${times.map((time, at) => html`<tr><td>${moment(time)}</td>${series.map(one => html`<td class="number">${one.values[at] == null ? '–' : format(/** @type {number} */ (one.values[at]))}</td>`)}</tr>`)}</tbody></table></div>`}
  </figure>`
}

/** @param {number[]} times @param {Series[]} series @param {boolean | undefined} stacked */
function dataOf(times, series, stacked) {
  const seconds = times.map(time => time / 1000)
  if (!stacked) return [seconds, ...series.map(one => one.values)]
  const sums = times.map(() => 0)
  const layers = series.map(one => one.values.map((value, at) => (sums[at] += value ?? 0)))
  // The highest is drawn first, and the lower ones before it.
  return [seconds, ...layers.reverse()]
}

/** @param {any} Plot @param {any} of */
function settings(Plot, { times, series, stacked, zoom, height, format, width, range }) {
  const [ink, soft, grid] = ['--ink', '--soft', '--grid'].map(colour)
  const font = '11px system-ui, sans-serif'
  const axis = { stroke: soft, font, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1, size: 4 } }
  const step = times.length > 1 ? (times[1] - times[0]) / 1000 : 60
  const bars = Plot.paths.bars({ size: [0.9, 100], align: 1 })
  const drawn = stacked ? [...series].reverse() : series
  return {
    width, height, legend: { show: false }, padding: [8, 22, 0, 0],
    tzDate: (/** @type {number} */ seconds) => Plot.tzDate(new Date(seconds * 1000), zone.get()),
    cursor: { y: false, drag: { x: !!zoom, y: false, setScale: false }, points: { show: !stacked } },
    scales: { x: { range: () => (range ? range.map((/** @type {number} */ ms) => ms / 1000) : [times[0] / 1000, times[times.length - 1] / 1000 + (stacked ? step : 0)]) }, y: { range: (/** @type {any} */ _, /** @type {number} */ _low, /** @type {number} */ high) => [0, (high || 1) * 1.08] } },
    axes: [{ ...axis, size: 26, space: 70, values: timeMarks }, { ...axis, size: 54, values: (/** @type {any} */ _, /** @type {number[]} */ splits) => splits.map(split => format(split)) }],
    series: [{}, ...drawn.map((/** @type {Series} */ one) => ({
      label: one.name, stroke: colour(one.colour), width: stacked ? 0 : 1.5, fill: stacked ? colour(one.colour) : undefined,
      paths: stacked ? bars : undefined, points: { show: !stacked && times.length < 40, size: 4 }, spanGaps: false,
    }))],
    hooks: {
      init: [(/** @type {any} */ chart) => {
        const tip = document.createElement('div')
        tip.className = 'tip hidden'
        chart.over.append(tip)
        chart.tip = tip
      }],
      setCursor: [(/** @type {any} */ chart) => {
        const at = chart.cursor.idx
        chart.tip.classList.toggle('hidden', at == null || chart.cursor.left < 0)
        if (at == null) return
        chart.tip.textContent = [moment(times[at]), ...series.map((/** @type {Series} */ one) => `${one.name} ${one.values[at] == null ? '–' : format(/** @type {number} */ (one.values[at]))}`)].join('\n')
        const isRight = chart.cursor.left > chart.over.clientWidth / 2
        Object.assign(chart.tip.style, { left: isRight ? '' : `${chart.cursor.left + 12}px`, right: isRight ? `${chart.over.clientWidth - chart.cursor.left + 12}px` : '', color: ink })
      }],
      setSelect: [(/** @type {any} */ chart) => {
        if (!zoom || chart.select.width < 4) return
        zoom(Math.round(chart.posToVal(chart.select.left, 'x') * 1000), Math.round(chart.posToVal(chart.select.left + chart.select.width, 'x') * 1000))
      }],
    },
  }
}

/** Days where days are told apart, else the time of day. @param {any} _ @param {number[]} splits @param {number} _axis @param {number} _space @param {number} step */
function timeMarks(_, splits, _axis, _space, step) {
  return splits.map((split, at) => {
    const { day, time } = parts(split * 1000)
    const isNewDay = at > 0 && parts(splits[at - 1] * 1000).day !== day
    if (step >= 86_400) return day.slice(step >= 86_400 * 60 ? 0 : 5)
    return isNewDay ? day.slice(5) : step < 60 ? time : time.slice(0, 5)
  })
}

const LEVELS = ['debug', 'info', 'warn', 'error']
/** @type {Record<string, string>} */
const LEVEL_COLOURS = { debug: '--s7', info: '--s0', warn: '--warn', error: '--bad' }

/**
 * From the flat answer of `histogram` to series, one for each key, with 0 where nothing was.
 * @param {{from_ms: number, until_ms: number, key: string, count: number}[]} bars
 * @param {{sinceMs: number, untilMs: number}} range
 * @param {(bar: any) => number} [value]
 */
export function seriesOf(bars, range, value = bar => bar.count) {
  if (!bars.length) return { times: [], series: [], step: 0 }
  const step = bars[0].until_ms - bars[0].from_ms || 1
  const origin = bars.reduce((least, bar) => Math.min(least, bar.from_ms), Infinity)
  const begin = origin - Math.max(0, Math.ceil((origin - range.sinceMs) / step)) * step
  /** @type {number[]} */
  const times = []
  for (let time = begin; time < range.untilMs && times.length < 2000; time += step) times.push(time)
  const keys = [...new Set(bars.map(bar => bar.key ?? ''))]
  const isLevel = keys.every(key => LEVELS.includes(key))
  keys.sort((a, b) => (isLevel ? LEVELS.indexOf(a) - LEVELS.indexOf(b) : a < b ? -1 : 1))
  const series = keys.map((key, at) => ({ name: key || 'events', colour: isLevel ? LEVEL_COLOURS[key] : `--s${at % 8}`, values: times.map(() => /** @type {number | null} */ (0)) }))
  const places = new Map(keys.map((key, at) => [key, at]))
  for (const bar of bars) {
    const at = Math.round((bar.from_ms - begin) / step)
    const one = series[/** @type {number} */ (places.get(bar.key ?? ''))]
    if (at >= 0 && at < times.length) one.values[at] = (one.values[at] ?? 0) + value(bar)
  }
  return { times, series, step }
}

