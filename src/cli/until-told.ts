/**
 * Waits until the process is told to end: by SIGTERM or SIGINT, or, when a supervisor started it,
 * by the supervisor's end.
 */
export function untilToldToEnd(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
    if (!process.connected) return;
    process.once('disconnect', () => resolve());
    process.channel?.unref(); // listening does not keep the process alive
  });
}
