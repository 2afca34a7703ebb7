// A view as one HTML file to keep: what is on the screen, with its style and pictures in it, and nothing that runs.
import { base, route } from './route.js'
import { asked } from './ask.js'

/** The file may load nothing: should a text of an event ever get out of its place, it still cannot. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
/** What does something. */
const ACTS = 'script, link, base, input, select, form, dialog, noscript, nav, .top, .skip, .askline, .chart button, .legend button, button[aria-label^="Copy"]'

/** Saves it. */
export async function keepView() {
  const copy = /** @type {HTMLElement} */ (document.documentElement.cloneNode(true))
  const canvases = document.querySelectorAll('canvas')
  copy.querySelectorAll('canvas').forEach((other, at) => {
    const { className, clientWidth, clientHeight, style } = canvases[at]
    const picture = Object.assign(document.createElement('img'), { src: canvases[at].toDataURL(), alt: '', className })
    // The space that it takes is the canvas's, whatever its dots are.
    picture.style.cssText = `${style.cssText};width:${clientWidth}px;height:${clientHeight}px`
    other.replaceWith(picture)
  })
  const all = (/** @type {string} */ selector) => /** @type {NodeListOf<any>} */ (copy.querySelectorAll(selector))
  all('a[href]').forEach(link => link.setAttribute('href', link.href))
  // Of a long list those rows are kept that are on the screen, one below the other.
  all('.list, .list .rows, .list .rows .row').forEach(part => Object.assign(part.style, { position: 'static', height: 'auto', transform: 'none', contain: 'none', overflow: 'visible' }))
  all(ACTS).forEach(part => part.remove())
  all('button').forEach(button => {
    const text = Object.assign(document.createElement('span'), { className: button.className })
    text.append(...button.childNodes)
    button.replaceWith(text)
  })
  const policy = Object.assign(document.createElement('meta'), { content: POLICY })
  policy.setAttribute('http-equiv', 'Content-Security-Policy')
  const sheets = ['style', 'vendor/uplot'].map(sheet => fetch(`${base}assets/${sheet}.css`).then(response => response.text()))
  const style = Object.assign(document.createElement('style'), { textContent: (await Promise.all(sheets)).join('\n') })
  copy.querySelector('meta')?.after(policy, style)
  const origin = Object.assign(document.createElement('p'), { className: 'soft', textContent: `Kept at ${new Date().toISOString()}. ${asked.get()?.command ?? ''}` })
  copy.querySelector('main')?.append(origin)
  const url = URL.createObjectURL(new Blob([`<!doctype html>\n${copy.outerHTML}`], { type: 'text/html' }))
  Object.assign(document.createElement('a'), { href: url, download: `emp-events-${route.get().view}.html` }).click()
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}
