// Takes what the page uses of other people's work from npm, and says what it took.
//
//   node vendor.mjs           writes crates/serve/page/assets/vendor and its README
//   import { vendored }       what ought to be there, for the test
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync, mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const here = new URL('.', import.meta.url)
const target = new URL('../../crates/serve/page/assets/vendor/', here)

/** A file of a package, and what has to be changed in it so that a browser can import it. */
const taken = [
  { file: 'preact.js', of: 'preact', from: 'dist/preact.mjs', types: 'preact/src/index.js' },
  {
    file: 'hooks.js',
    of: 'preact',
    from: 'hooks/dist/hooks.mjs',
    change: 'the import of "preact" names the file beside it',
    edit: text => text.replace('from"preact"', 'from"./preact.js"'),
    types: 'preact/hooks/src/index.js',
  },
  { file: 'htm.js', of: 'htm', from: 'dist/htm.mjs', types: 'htm/dist/htm.js' },
  {
    file: 'uplot.js',
    of: 'uplot',
    from: 'dist/uPlot.iife.min.js',
    change: 'a line at the end exports what it defines',
    edit: text => `${text.trimEnd()}\nexport default uPlot;\n`,
    types: 'uplot/dist/uPlot.js',
  },
  { file: 'uplot.css', of: 'uplot', from: 'dist/uPlot.min.css' },
]

const read = path => readFileSync(new URL(`node_modules/${path}`, here), 'utf8')
const sha256 = text => createHash('sha256').update(text).digest('hex')

/** The line that names a map for debuggers is left out: the map is not here. */
const withoutMap = text => text.replace(/\n?\/\/# sourceMappingURL=.*\s*$/, '\n')

/** @returns {{file: string, text: string}[]} */
export function vendored() {
  const files = taken.map(one => {
    const original = withoutMap(read(`${one.of}/${one.from}`))
    return { ...one, text: one.edit ? one.edit(original) : original }
  })
  const packages = [...new Set(taken.map(one => one.of))]
  const licences = packages.map(name => ({ file: `LICENSE-${name}`, text: read(`${name}/LICENSE`) }))
  return [...files, ...types(), ...licences, { file: 'README.md', text: readme(files, packages) }]
}

/** Where `tsc` finds the types of each: it looks beside the file that is imported. */
function types() {
  return taken
    .filter(one => one.types)
    .map(one => {
      const names = read(one.types.replace(/\.js$/, '.d.ts'))
      const path = `../../../../../tests/page/node_modules/${one.types}`
      const text = /export (default|=)/.test(names) ? `export { default } from '${path}'\n` : `export * from '${path}'\n`
      return { file: one.file.replace(/js$/, 'd.ts'), text }
    })
}

function readme(files, packages) {
  const of = name => JSON.parse(read(`${name}/package.json`))
  return [
    '# What the page uses of others',
    '',
    '`npm --prefix tests/page run vendor` writes this folder, and the tests of the page compare it with npm\'s packages.',
    'The line that names a map for debuggers is left out.',
    '',
    '| package | version | licence |',
    '|---|---|---|',
    ...packages.map(name => `| ${name} | ${of(name).version} | ${of(name).license}, [text](LICENSE-${name}) |`),
    '',
    '| file | from | changed | SHA-256 |',
    '|---|---|---|---|',
    ...files.map(one => `| ${one.file} | ${one.of}/${one.from} | ${one.change ?? '–'} | \`${sha256(one.text)}\` |`),
    '',
  ].join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(target, { recursive: true })
  for (const { file, text } of vendored()) writeFileSync(new URL(file, target), text)
}
