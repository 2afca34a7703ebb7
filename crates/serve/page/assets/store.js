// A value that several parts of the page look at: who looks is told when it changes.
import { useEffect, useState } from './html.js'

/**
 * @template T
 * @typedef {{get: () => T, set: (value: T) => void, subscribe: (told: (value: T) => void) => () => void}} Store
 */

/**
 * @template T
 * @param {T} value
 * @returns {Store<T>}
 */
export function store(value) {
  /** @type {Set<(value: T) => void>} */
  const told = new Set()
  return {
    get: () => value,
    set(next) {
      if (Object.is(next, value)) return
      value = next
      for (const one of [...told]) one(value)
    },
    subscribe(one) {
      told.add(one)
      return () => void told.delete(one)
    },
  }
}

/**
 * @template T
 * @param {Store<T>} of
 * @returns {T}
 */
export function useStore(of) {
  const [value, setValue] = useState(of.get())
  useEffect(() => {
    setValue(of.get())
    return of.subscribe(next => setValue(next))
  }, [of])
  return value
}
