// A field for a statement: what is typed is coloured by a layer behind it, and completed on demand.
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from '../html.js'
import { useStore } from '../store.js'
import { meta } from '../parts.js'
import { useAnswer } from '../ask.js'
import { NOTHING, completions, knownOf, wordsOf } from './words.js'

/** @param {{value: string, change: (value: string) => void, run: () => void}} props */
export function Editor({ value, change, run }) {
  const told = useStore(meta)
  const { answer } = useAnswer('names')
  const known = useMemo(() => (answer ? knownOf(answer.data) : NOTHING), [answer])
  const field = useRef(/** @type {HTMLTextAreaElement | null} */ (null))
  const layer = useRef(/** @type {HTMLPreElement | null} */ (null))
  const [offer, setOffer] = useState(/** @type {{from: number, choices: {text: string, kind: string}[]}} */ ({ from: 0, choices: [] }))
  const [at, setAt] = useState(0)
  const caret = useRef(-1)
  // Before anything is painted: what is typed next stands behind a completion.
  useLayoutEffect(() => {
    if (caret.current < 0 || !field.current) return
    field.current.setSelectionRange(caret.current, caret.current)
    caret.current = -1
  }, [value])
  const look = () => {
    const place = field.current?.selectionStart ?? 0
    setOffer(completions(field.current?.value ?? '', place, known, told))
    setAt(0)
  }
  const hasTyped = useRef(false)
  // Names that come while somebody types already.
  useEffect(() => { if (hasTyped.current) look() }, [known])
  const close = () => setOffer({ from: 0, choices: [] })
  /** @param {number} choice */
  const take = choice => {
    const place = field.current?.selectionStart ?? value.length
    const { text } = offer.choices[choice]
    caret.current = offer.from + text.length
    const typed = field.current?.value ?? value
    change(typed.slice(0, offer.from) + text + typed.slice(place))
    close()
    field.current?.focus()
  }
  /** @param {KeyboardEvent} event */
  const press = event => {
    const isOffered = offer.choices.length > 0
    /** @type {Record<string, (() => void) | false>} */
    const acts = {
      ArrowDown: isOffered && (() => setAt((at + 1) % offer.choices.length)),
      ArrowUp: isOffered && (() => setAt((at + offer.choices.length - 1) % offer.choices.length)),
      Tab: isOffered && (() => take(at)),
      Escape: isOffered && close,
    }
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); close(); return run() }
    if (event.key === ' ' && event.ctrlKey) { event.preventDefault(); return look() }
    const act = acts[event.key]
    if (act) { event.preventDefault(); event.stopPropagation(); act() }
  }
  const lines = Math.min(24, Math.max(5, value.split('\n').length + 1))
  return html`<div class="editor" style=${{ height: `${lines * 1.45 + 1}em` }}>
    <pre ref=${layer} aria-hidden="true">${wordsOf(value, known).map(word => html`<span class=${`w-${word.kind}`}>${word.text}</span>`)}${'\n'}</pre>
    <textarea ref=${field} aria-label="SQL" aria-controls="offered" aria-describedby="sql-help" spellcheck="false" autocomplete="off" autocapitalize="off" value=${value}
      onInput=${(/** @type {any} */ event) => { hasTyped.current = true; change(event.target.value); look() }} onKeyDown=${press} onBlur=${() => setTimeout(close, 150)} onClick=${close}
      onScroll=${() => { if (layer.current && field.current) layer.current.scrollTop = field.current.scrollTop }}></textarea>
    <ul id="offered" role="listbox" aria-label="Completions" class=${offer.choices.length ? 'popup complete' : 'popup complete hidden'}>${offer.choices.map((choice, place) => html`
      <li role="option" aria-selected=${place === at} onMouseDown=${(/** @type {Event} */ event) => { event.preventDefault(); take(place) }}><span class="id">${choice.text}</span> <span class="soft">${choice.kind}</span></li>`)}</ul>
    </div>`
}
