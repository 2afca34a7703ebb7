export * from '../../../../../tests/page/node_modules/preact/hooks/src/index.js'
