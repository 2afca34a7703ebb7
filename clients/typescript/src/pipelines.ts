import { Lifecycle } from './lifecycle.js';
import { Pipeline } from './pipeline.js';
import { RecordingSink, recordings } from './recording.js';
import { Sender } from './sender.js';
import { type EventClientOptions, type Settings, resolveSettings } from './settings.js';

/** A client's pipelines, each made with the first event that needs it. */
export class Pipelines {
  readonly #service: string;
  readonly #options: EventClientOptions;
  #settings: Settings | undefined;
  #sending: Pipeline | undefined;
  #recording: Pipeline | undefined;

  constructor(service: string, options: EventClientOptions) {
    this.#service = service;
    this.#options = options;
  }

  /** What takes an event now; `undefined` where telemetry is switched off. */
  taking(): Pipeline | undefined {
    // The environment is read with the first event: applications load it after their imports.
    const settings = (this.#settings ??= resolveSettings(this.#options, process.env));
    if (recordings.size > 0) {
      return (this.#recording ??= new Pipeline(settings, (counters) => new RecordingSink(this.#service, counters)));
    }
    if (!this.#sending && settings.enabled) {
      this.#sending = new Pipeline(settings, (...given) => new Sender(this.#service, settings, ...given));
      Lifecycle.shared.add(this.#sending);
    }
    return this.#sending;
  }

  /** The one that is asked about events: no other than what takes them, and none is made. */
  get made(): Pipeline | undefined {
    return recordings.size > 0 ? this.#recording : this.#sending;
  }
}
