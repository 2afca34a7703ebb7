// What every view draws with: preact's tree, written as HTML in a template.
import htm from './vendor/htm.js'
import { h } from './vendor/preact.js'

export { Fragment, render } from './vendor/preact.js'
export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from './vendor/hooks.js'

/** Texts in it become text nodes: nothing that an event says is ever read as HTML. */
export const html = htm.bind(h)
