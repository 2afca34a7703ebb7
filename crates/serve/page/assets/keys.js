// Keys, as in `emp-events top`. A view says which it takes while it is on the screen.
import { useEffect, useRef } from './html.js'

/** @typedef {Record<string, (event: KeyboardEvent) => void>} Keys */

/** @type {{current: Keys}[]} */
const layers = []

document.addEventListener('keydown', event => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return
  // A dialog has its own.
  if (document.querySelector('dialog[open]')) return
  const target = event.target
  const types = target instanceof HTMLElement && target.matches('input:not([type=checkbox]), textarea, select, [contenteditable]')
  if (types && event.key !== 'Escape') return
  // Enter and Space belong to a button or link that has the focus.
  const presses = target instanceof Element && target.closest('a, button, summary, [role=option], [role=tab]')
  if (presses && (event.key === 'Enter' || event.key === ' ')) return
  for (let at = layers.length - 1; at >= 0; at -= 1) {
    const act = layers[at].current[event.key]
    if (!act) continue
    event.preventDefault()
    act(event)
    return
  }
})

/**
 * The keys of what is drawn last are asked first.
 * @param {Keys} keys
 */
export function useKeys(keys) {
  const latest = useRef(keys)
  latest.current = keys
  useEffect(() => {
    layers.push(latest)
    return () => void layers.splice(layers.indexOf(latest), 1)
  }, [])
}
