/**
 * Waits until the process is told to end: by SIGTERM or SIGINT, or, when a supervisor started it,
 * by the supervisor's end. Signals that follow change nothing.
 */
export function untilToldToEnd(): Promise<void> {
  return new Promise((resolve) => {
    // Not `once`: a signal that nobody listens to any more would end the process half-way, and
    // what writes a file at that moment (`signal-exit` within `write-file-atomic`) then does so.
    process.on('SIGTERM', () => resolve());
    process.on('SIGINT', () => resolve());
    if (!process.connected) return;
    process.once('disconnect', () => resolve());
    process.channel?.unref(); // listening does not keep the process alive
  });
}
