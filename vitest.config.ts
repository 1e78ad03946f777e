import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/longest-first.js';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['./test/postgresql.ts', './test/examples.ts'],
    setupFiles: ['./test/after-each.ts'],
    reporters: ['default', './test/closing-line.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    sequence: { sequencer: LongestFirst },
    maxWorkers: 3,
    // To load everything anew for each file would take a fifth of the time.
    isolate: false,
  },
});
