export * from '../../../../../tests/page/node_modules/preact/src/index.js'
