// A job's time line as bars: canvas for what is drawn, the document for what is read and reached by keys.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../html.js'
import { useKeys } from '../keys.js'
import { clock, count, duration, figure, toMs } from '../units.js'
import { draw } from './draw.js'
import { rowsOf } from './rows.js'
import { longSilences, scaleOf, ticks } from './scale.js'

const ROW = 24
const RULER = 24
/** Room right of the last bar, for what marks its end. */
const RIM = 14

/**
 * @param {object} props
 * @param {any} props.line the answer of `timeline`
 * @param {(events: number[], row: import('./rows.js').Row) => void} props.show the raw events of a row
 */
export function Waterfall({ line, show }) {
  const [opened, setOpened] = useState(/** @type {Set<string>} */ (new Set()))
  const { rows, times } = useMemo(() => rowsOf(line, opened), [line, opened])
  const [whole, setWhole] = useState(/** @type {[number, number]} */ ([toMs(line.from), Math.max(toMs(line.until), toMs(line.from) + 1)]))
  const silences = useMemo(() => longSilences(whole[0], whole[1], times.filter(time => time >= whole[0] && time <= whole[1])), [line])
  const [isShort, setShort] = useState(silences.length > 0)
  const [sight, setSight] = useState(/** @type {[number, number]} */ ([0, 1]))
  const [selected, setSelected] = useState(-1)
  const scale = useMemo(() => scaleOf(whole[0], whole[1], isShort ? silences : []), [line, isShort, whole])
  const box = useRef(/** @type {HTMLDivElement | null} */ (null))
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null))
  const [place, setPlace] = useState({ top: 0, height: 400, width: 600 })
  useEffect(() => setWhole([toMs(line.from), Math.max(toMs(line.until), toMs(line.from) + 1)]), [line])

  const width = Math.max(60, place.width - RIM)
  const x = (/** @type {number} */ ms) => ((scale.at(ms) - sight[0]) / (sight[1] - sight[0])) * width
  const marks = useMemo(() => ticks(scale, scale.time(sight[0]), scale.time(sight[1]), whole[0], Math.max(2, Math.floor(width / 95))), [scale, sight, width])
  const services = useMemo(() => [...new Set(line.events.map((/** @type {any} */ event) => event.service))].sort(), [line])
  const first = Math.max(0, Math.floor(place.top / ROW) - 2)
  const last = Math.min(rows.length, first + Math.min(100, Math.ceil(place.height / ROW) + 5))

  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const look = () => canvas.current && setPlace({ top: element.scrollTop, height: element.clientHeight, width: canvas.current.clientWidth })
    look()
    const watch = new ResizeObserver(look)
    watch.observe(element)
    const dark = matchMedia('(prefers-color-scheme: dark)')
    dark.addEventListener('change', look)
    return () => {
      watch.disconnect()
      dark.removeEventListener('change', look)
    }
  }, [])
  useLayoutEffect(() => {
    if (!canvas.current) return
    draw(canvas.current, {
      rows: rows.slice(first, last), first, offset: first * ROW - place.top, rowHeight: ROW, times, x, ticks: marks,
      shortened: scale.shortened, services, selected,
    })
  })

  /** @param {number} at */
  const choose = at => {
    const next = Math.max(0, Math.min(rows.length - 1, at))
    setSelected(next)
    if (rows[next]) show(rows[next].events, rows[next])
    const element = box.current
    if (!element) return
    if (next * ROW < element.scrollTop) element.scrollTop = next * ROW
    else if ((next + 1) * ROW + RULER > element.scrollTop + element.clientHeight) element.scrollTop = (next + 1) * ROW + RULER - element.clientHeight
  }
  /** @param {number} at */
  const toggle = at => {
    const row = rows[at]
    if (row?.kind !== 'repeat') return
    const next = new Set(opened)
    if (!next.delete(row.key)) next.add(row.key)
    setOpened(next)
  }
  /** @param {number} by */
  const zoom = by => {
    const middle = (sight[0] + sight[1]) / 2
    const half = Math.min(0.5, ((sight[1] - sight[0]) / 2) * by)
    const from = Math.max(0, Math.min(1 - 2 * half, middle - half))
    setSight([from, from + 2 * half])
  }
  /** @param {number} by */
  const pan = by => {
    const wide = sight[1] - sight[0]
    const from = Math.max(0, Math.min(1 - wide, sight[0] + by * wide))
    setSight([from, from + wide])
  }
  const z = () => { if (silences.length) { setShort(!isShort); setSight([0, 1]) } }
  useKeys({ z, 0: () => setSight([0, 1]) })
  /** @param {KeyboardEvent} event */
  const press = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    /** @type {Record<string, () => void>} */
    const acts = {
      j: () => choose(selected + 1), ArrowDown: () => choose(selected + 1), k: () => choose(selected - 1), ArrowUp: () => choose(selected - 1),
      Home: () => choose(0), End: () => choose(rows.length - 1), G: () => choose(rows.length - 1), PageDown: () => choose(selected + 10), PageUp: () => choose(selected - 10),
      Enter: () => toggle(selected), '+': () => zoom(0.5), '=': () => zoom(0.5), '-': () => zoom(2), ArrowRight: () => pan(0.25), ArrowLeft: () => pan(-0.25),
    }
    if (!acts[event.key]) return
    event.preventDefault()
    event.stopPropagation()
    acts[event.key]()
  }
  const drag = useDrag(canvas, width, (from, until) => {
    const wide = sight[1] - sight[0]
    setSight([sight[0] + from * wide, sight[0] + until * wide])
  }, y => choose(Math.floor((y + place.top) / ROW)))

  return html`<section class="waterfall" aria-label="Waterfall">
    <div class="legend">
      ${services.map((service, at) => html`<span><i class=${`s${at % 8}`}></i>${service}</span>`)}
      <span title="as long as half of such take, and paler as long as 99 of 100 take at most"><i class="ghost"></i>typical</span><span><i class="hatch"></i>unusual silence</span><span><i class="wait"></i>wait</span><span class="bad">✖ failed</span>
      <span class="tools">${silences.length > 0 && html`<button type="button" aria-pressed=${!isShort} onClick=${z} title="z">Silences in full</button>`}
      <button type="button" aria-label="Closer" title="+" onClick=${() => zoom(0.5)}>+</button><button type="button" aria-label="Wider" title="-" onClick=${() => zoom(2)}>−</button>
      <button type="button" disabled=${sight[0] === 0 && sight[1] === 1} onClick=${() => setSight([0, 1])} title="0">All</button></span>
    </div>
    <div class="bars" ref=${box} tabindex="0" role="listbox" aria-label=${`What happened: ${count(rows.length)} rows`}
      aria-activedescendant=${selected >= first && selected < last ? `bar-${selected}` : undefined} onKeyDown=${press}
      onFocus=${() => selected < 0 && rows.length && setSelected(0)}
      onScroll=${() => box.current && setPlace({ ...place, top: box.current.scrollTop, height: box.current.clientHeight })}>
      <div class="ruler" aria-hidden="true"><div class="marks">
        ${marks.map(time => html`<span style=${{ left: `${x(time)}px` }}>${time === whole[0] ? clock(time) : `+${duration(time - whole[0])}`}</span>`)}
        ${scale.shortened.map(([from, until]) => html`<span class="cut" style=${{ left: `${(x(from) + x(until)) / 2}px` }}>${duration(until - from)}</span>`)}
      </div></div>
      <div class="sheet" style=${{ height: `${rows.length * ROW}px` }}>
        <div class="paper" aria-hidden="true"><canvas ref=${canvas} style=${{ height: `${Math.min(place.height - RULER, rows.length * ROW)}px` }} ...${drag.handlers}></canvas>
          ${drag.box && html`<i class="brush" style=${{ left: `${drag.box[0]}px`, width: `${drag.box[1] - drag.box[0]}px` }}></i>`}</div>
        ${rows.slice(first, last).map((row, at) => {
          const index = first + at
          return html`<div key=${row.key} id=${`bar-${index}`} role="option" aria-selected=${index === selected} aria-posinset=${index + 1} aria-setsize=${rows.length}
            class=${`bar ${index === selected ? 'is-selected' : ''}`} style=${{ transform: `translateY(${index * ROW}px)` }}
            onClick=${() => choose(index)} onDblClick=${() => toggle(index)}>
            <${Label} row=${row} isOpened=${opened.has(row.key)} toggle=${() => toggle(index)} />
            <span class="took number">${took(row)}</span></div>`
        })}
      </div>
    </div>
  </section>`
}

/** @param {import('./rows.js').Row} row */
function took(row) {
  if (row.kind === 'event') return clock(row.from)
  const often = row.often && row.often >= 1.5 ? html` <small class=${row.often >= 3 ? 'bad' : 'warn'}>×${figure(row.often)}</small>` : null
  return html`${duration(row.until - row.from)}${row.isOpen ? '…' : ''}${often}`
}

/** @param {{row: import('./rows.js').Row, isOpened: boolean, toggle: () => void}} props */
function Label({ row, isOpened, toggle }) {
  const words = { span: '', gap: 'silence: ', wait: '', event: '', repeat: '' }[row.kind]
  return html`<span class=${`label ${row.kind} depth-${row.depth}`} title=${`${words}${row.name}${row.service ? ` of ${row.service}` : ''}${row.typical ? `, typically ${duration(row.typical)}${row.rarely ? `, 99 of 100 at most ${duration(row.rarely)}` : ''}` : ''}`}>
    ${row.hasFailed && html`<span class="bad">✖ </span>`}
    ${row.kind === 'repeat' && html`<button type="button" class="quiet twist" tabindex="-1" aria-label=${isOpened ? 'Close' : 'Open'} onClick=${(/** @type {Event} */ event) => { event.stopPropagation(); toggle() }}>${isOpened ? '▾' : '▸'}</button>`}
    ${words && html`<span class="soft">${words}</span>`}${row.name}${row.kind === 'repeat' && html` <strong>×${count(row.pieces?.length)}</strong>`}</span>`
}

/**
 * A range of the width that is drawn with the mouse.
 * @param {{current: HTMLCanvasElement | null}} canvas @param {number} width
 * @param {(from: number, until: number) => void} done shares of the width
 * @param {(y: number) => void} click
 */
function useDrag(canvas, width, done, click) {
  const [box, setBox] = useState(/** @type {[number, number] | null} */ (null))
  const begin = useRef(0)
  const place = (/** @type {PointerEvent} */ event) => Math.max(0, Math.min(width, event.clientX - (canvas.current?.getBoundingClientRect().left ?? 0)))
  return {
    box: box && box[1] - box[0] > 4 ? box : null,
    handlers: {
      onPointerDown: (/** @type {PointerEvent} */ event) => {
        begin.current = place(event)
        canvas.current?.setPointerCapture(event.pointerId)
        setBox([begin.current, begin.current])
      },
      onPointerMove: (/** @type {PointerEvent} */ event) => {
        if (box) setBox([Math.min(begin.current, place(event)), Math.max(begin.current, place(event))])
      },
      onPointerUp: (/** @type {PointerEvent} */ event) => {
        if (box && box[1] - box[0] > 4) done(box[0] / width, box[1] / width)
        else if (box) click(event.clientY - (canvas.current?.getBoundingClientRect().top ?? 0))
        setBox(null)
      },
    },
  }
}
