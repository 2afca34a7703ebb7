export { default } from '../../../../../tests/page/node_modules/uplot/dist/uPlot.js'
