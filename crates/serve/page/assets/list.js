// A list of any length: rows of one height, of which only those on the screen are in the document.
import { html, useEffect, useLayoutEffect, useRef, useState } from './html.js'

const ROW = 22
/** Rows above and below the screen, so that a slow hand sees no blank. */
const SPARE = 12
/** More than are ever in the document: while a list scrolls, rows that go lend their elements to those that come. */
const SLOTS = 128
/** A browser draws no element that is higher. */
const HIGHEST = 15_000_000

/**
 * @param {object} props
 * @param {any[]} props.rows
 * @param {number} [props.total] how many there are, where `rows` are the first of more
 * @param {string} props.label
 * @param {{title: string, name: string}[]} props.columns
 * @param {(row: any) => any[]} props.cells one for each column
 * @param {(row: any) => string} [props.tone] a class of the row
 * @param {number} props.selected -1 where none is
 * @param {(index: number) => void} props.select
 * @param {() => void} [props.more] the last rows are in sight
 * @param {string} [props.kind] a class that says how wide the columns are
 * @param {boolean} [props.follow] new rows come at the top: what is read stays where it is
 */
export function List({ rows, total, label, columns, cells, tone, selected, select, more, kind = '', follow }) {
  const box = useRef(/** @type {HTMLDivElement | null} */ (null))
  const [place, setPlace] = useState({ top: 0, height: 600 })
  const known = useRef(rows.length)
  useLayoutEffect(() => {
    const element = box.current
    if (!element) return
    const look = () => setPlace({ top: element.scrollTop, height: element.clientHeight })
    look()
    const watch = new ResizeObserver(look)
    watch.observe(element)
    return () => watch.disconnect()
  }, [])
  useLayoutEffect(() => {
    const added = rows.length - known.current
    known.current = rows.length
    if (follow && added > 0 && box.current && box.current.scrollTop > 0) box.current.scrollTop += added * ROW
  }, [rows])
  const first = Math.max(0, Math.floor(place.top / ROW) - SPARE)
  const last = Math.min(rows.length, Math.ceil((place.top + place.height) / ROW) + SPARE, first + 100)
  useEffect(() => {
    if (more && last > rows.length - 60) more()
  }, [last, rows.length])

  /** @param {number} index */
  const moveTo = index => {
    const next = Math.max(0, Math.min(rows.length - 1, index))
    select(next)
    const element = box.current
    if (!element) return
    // The head of the list stays above the rows.
    if (next * ROW < element.scrollTop) element.scrollTop = next * ROW
    else if ((next + 2) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (next + 2) * ROW - element.clientHeight
  }
  /** @param {KeyboardEvent} event */
  const press = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const page = Math.max(1, Math.floor(place.height / ROW) - 2)
    /** @type {Record<string, number>} */
    const to = {
      j: selected + 1, ArrowDown: selected + 1, k: selected - 1, ArrowUp: selected - 1, PageDown: selected + page,
      PageUp: selected - page, Home: 0, g: 0, End: rows.length - 1, G: rows.length - 1,
    }
    if (!(event.key in to) || !rows.length) return
    event.preventDefault()
    event.stopPropagation()
    moveTo(to[event.key])
  }
  const latest = useRef(select)
  latest.current = select
  // A row that stays where it is on the screen is not drawn again while others come and go.
  const cache = useRef(/** @type {Map<object, {index: number, isSelected: boolean, drawn: any}>} */ (new Map()))
  const before = cache.current
  cache.current = new Map()
  /** @param {any} row @param {number} index */
  const drawn = (row, index) => {
    const isSelected = index === selected
    const known = before.get(row)
    if (known && known.index === index && known.isSelected === isSelected) {
      cache.current.set(row, known)
      return known.drawn
    }
    const fresh = html`<div key=${follow ? row.id : index % SLOTS} id=${`${kind}-row-${index}`} role="row" aria-rowindex=${index + 2} aria-selected=${isSelected}
          class=${`row ${tone?.(row) ?? ''}`} style=${{ transform: `translateY(${index * ROW}px)` }} onClick=${() => latest.current(index)}>
          ${cells(row).map((cell, column) => html`<span role="gridcell" class=${columns[column].name}>${cell}</span>`)}</div>`
    cache.current.set(row, { index, isSelected, drawn: fresh })
    return fresh
  }
  return html`<div class=${`list ${kind}`} ref=${box} tabindex="0" role="grid" aria-label=${label} aria-rowcount=${(total ?? rows.length) + 1}
      aria-activedescendant=${selected >= first && selected < last ? `${kind}-row-${selected}` : undefined}
      onScroll=${() => box.current && setPlace({ top: box.current.scrollTop, height: box.current.clientHeight })} onKeyDown=${press}>
    <div class="row titles" role="row" aria-rowindex="1">${columns.map(column => html`<span role="columnheader" class=${column.name}>${column.title}</span>`)}</div>
    <div class="rows" role="rowgroup" style=${{ height: `${Math.min(rows.length * ROW, HIGHEST)}px` }}>
      ${rows.slice(first, last).map((row, at) => drawn(row, first + at))}
    </div></div>`
}
