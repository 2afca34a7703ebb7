// The ways to record what a request does: three records each, with the same data. `record` returns
// a promise where the request has to wait for it; what is `around` the request ties them together.
import { context, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { EventClient, runWithTrace } from '@emp/events';
import Redis from 'ioredis';
import pino from 'pino';

const created = ({ id, type, priority }) => ({ jobId: id, userId: 'user_1', jobType: type, priority });
const queued = ({ id }) => ({ jobId: id, queueName: 'default' });
const answered = ({ text }) => ({ route: '/jobs', statusCode: 201, size: text.length });

export const RECORDERS = { none, telemetry, xadd, pinoToFile, openTelemetry };

function none() {
  return { around: (run) => run(), record: () => undefined };
}

function telemetry() {
  const client = new EventClient('api-server', { ratePerSecond: 0 });
  const record = (job) => {
    client.event('job.created', created(job));
    client.event('job.queued', queued(job));
    client.event('api.answered', answered(job));
  };
  return { around: (run) => runWithTrace(undefined, run), record };
}

/** What comes to mind first. */
function xadd() {
  const redis = new Redis(process.env.REDIS_URL);
  const add = (type, data) =>
    redis.xadd('emp:events', 'MAXLEN', '~', 10_000, '*',
      'timestamp', Date.now(), 'service', 'api-server', 'eventType', type, 'level', 'info', 'data', JSON.stringify(data));
  const record = async (job) => {
    await add('job.created', created(job));
    await add('job.queued', queued(job));
    await add('api.answered', answered(job));
  };
  return { ...none(), record };
}

function pinoToFile() {
  const log = pino(pino.destination({ dest: process.env.BENCH_LOG, sync: false, minLength: 4096 }));
  const record = (job) => {
    log.info(created(job), 'job.created');
    log.info(queued(job), 'job.queued');
    log.info(answered(job), 'api.answered');
  };
  return { ...none(), record };
}

/** As its SDK for Node is set up: batches of 512 spans, and what is over a queue of 2,048 is dropped. */
function openTelemetry() {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const exporter = new OTLPTraceExporter({ url: process.env.BENCH_SINK });
  const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(exporter)] });
  const tracer = provider.getTracer('bench');
  const record = (job) => {
    tracer.startSpan('job.created', { attributes: created(job) }).end();
    tracer.startSpan('job.queued', { attributes: queued(job) }).end();
    trace.getActiveSpan().setAttributes(answered(job)).end();
  };
  return { around: (run) => tracer.startActiveSpan('api.answered', run), record };
}
