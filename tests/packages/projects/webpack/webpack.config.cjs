const path = require('node:path');

module.exports = {
  mode: 'production',
  target: 'node',
  entry: './main.mjs',
  output: { path: path.join(__dirname, 'out'), filename: 'main.cjs' },
};
