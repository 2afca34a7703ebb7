export { default } from '../../../../../tests/page/node_modules/htm/dist/htm.js'
