/** Rejects at Ctrl-C, or when a supervisor ends this: everything that was started ends with it. */
export const interrupted = new Promise<never>((_, reject) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => reject(new Error('Interrupted.')));
  }
});
interrupted.catch(() => undefined); // also while nothing waits for it
