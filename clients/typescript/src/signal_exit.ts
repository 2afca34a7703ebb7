interface Emitter {
  count?: unknown;
}

/**
 * How many listeners to each signal the package `signal-exit` has, which many command line tools bring along. It ends
 * the process only where it finds no other listener, so its own say nothing about what the application does.
 */
export function signalExitListeners(): number {
  const versions = [
    (process as { __signal_exit_emitter__?: Emitter }).__signal_exit_emitter__,
    (globalThis as { [key: symbol]: Emitter | undefined })[Symbol.for('signal-exit emitter')],
  ];
  return versions.reduce((sum, version) => sum + (typeof version?.count === 'number' ? version.count : 0), 0);
}
