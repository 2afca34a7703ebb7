// Writes pino.ndjson, winston.ndjson and bunyan.ndjson, the same story by each library: pino 10.4.0,
// winston 3.19.0, bunyan 2.0.5. Host, process and folders were then replaced by plain ones.
const story = (log, fail) => {
  log.info({ jobId: 'job_1', jobType: 'image' }, 'job created');
  log.debug({ jobId: 'job_1', workerId: 'w1' }, 'claimed');
  log.warn({ jobId: 'job_1', responseTime: 412.5 }, 'the connector is slow');
  fail({ jobId: 'job_1' }, new Error('out of memory'), 'job failed');
  log.info({ event: 'job.retry_scheduled', jobId: 'job_1', attempt: 2 }, 'again');
};
const pino = require('pino')({ name: 'worker', level: 'trace' }, require('pino').destination({ dest: './pino.ndjson', sync: true }));
story(pino, (ids, err, message) => pino.error({ ...ids, err }, message));
pino.fatal('bye');

const bunyan = require('bunyan').createLogger({ name: 'worker', level: 'trace', serializers: require('bunyan').stdSerializers, streams: [{ path: './bunyan.ndjson', level: 'trace' }] });
story(bunyan, (ids, err, message) => bunyan.error({ ...ids, err }, message));
bunyan.fatal('bye');

const { createLogger, format, transports } = require('winston');
const w = createLogger({ level: 'silly', defaultMeta: { service: 'worker' }, format: format.combine(format.timestamp(), format.errors({ stack: true }), format.json()), transports: [new transports.File({ filename: './winston.ndjson' })] });
const by = (level) => (meta, message) => w.log(level, message, meta);
story({ info: by('info'), debug: by('debug'), warn: by('warn') }, (ids, err, message) => w.error(message, { ...ids, error: { message: err.message, stack: err.stack } }));
w.log('silly', 'bye');
