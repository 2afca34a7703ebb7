// What a list of events is narrowed to: the options of `search`, in the address, as chips that can be taken away.
import { html, useRef } from './html.js'
import { setQuery } from './route.js'

/** Options of `search`, and what a chip calls them. */
export const FILTERS = /** @type {[option: string, name: string][]} */ ([
  ['text', 'text'], ['service', 'service'], ['event-type', 'event'], ['level', 'level'], ['job-id', 'job'], ['trace-id', 'trace'],
  ['worker-id', 'worker'], ['machine-id', 'machine'], ['user-id', 'user'], ['filter', 'where'],
])

/** Which option a facet's value is taken by. @type {Record<string, string>} */
export const OF_FACET = { service: 'service', event_type: 'event-type', level: 'level', worker_id: 'worker-id', machine_id: 'machine-id' }

/** @param {URLSearchParams} query @returns {Record<string, string | string[]>} */
export function filtersOf(query) {
  /** @type {Record<string, string | string[]>} */
  const found = {}
  for (const [option] of FILTERS) {
    const values = query.getAll(option)
    if (values.length) found[option] = option === 'filter' ? values : values.join(',')
  }
  return found
}

/** Takes a value of a list such as `worker,machine` in or out. @param {URLSearchParams} query @param {string} option @param {string} value */
export function toggled(query, option, value) {
  const values = (query.get(option) ?? '').split(',').filter(Boolean)
  return (values.includes(value) ? values.filter(one => one !== value) : [...values, value]).join(',') || null
}

/** @param {{query: URLSearchParams, children?: any}} props */
export function Filters({ query, children }) {
  const text = useRef(/** @type {HTMLInputElement | null} */ (null))
  const chips = FILTERS.flatMap(([option, name]) =>
    option === 'text' ? [] : query.getAll(option).flatMap(value => (option === 'filter' ? [value] : value.split(','))).map(value => ({ option, name, value })))
  /** @param {{option: string, value: string}} chip */
  const remove = ({ option, value }) =>
    setQuery({ [option]: option === 'filter' ? query.getAll('filter').filter(one => one !== value) : toggled(query, option, value) })
  /** @param {Event} event */
  const submit = event => {
    event.preventDefault()
    const typed = text.current?.value.trim() ?? ''
    // `key=value` is a filter of its own; all else is looked for in types and data.
    const isFilter = /^[\w.]+(!=|~~=|~=|=)./.test(typed)
    if (isFilter) {
      setQuery({ filter: [...query.getAll('filter'), typed] })
      if (text.current) text.current.value = query.get('text') ?? ''
    } else setQuery({ text: typed || null })
  }
  return html`<form class="filters" onSubmit=${submit} role="search">
    <input ref=${text} key=${query.get('text')} type="search" aria-label="Text, or key=value" placeholder="text, or key=value, key!=value, key~=part, key~~=regex" value=${query.get('text') ?? ''} spellcheck="false" />
    <button type="submit">Filter</button>
    ${chips.map(chip => html`<span class="chip"><span class="soft">${chip.name}</span> ${chip.value}
      <button type="button" class="quiet" aria-label=${`Without ${chip.name} ${chip.value}`} onClick=${() => remove(chip)}>✕</button></span>`)}
    ${chips.length > 1 && html`<button type="button" class="quiet" onClick=${() => setQuery(Object.fromEntries(FILTERS.map(([option]) => [option, null])))}>clear</button>`}
    ${children}</form>`
}
