import type { Trial } from './trial.js';

/** What is tried, by name: the longest cut, where it is the worst. */
export const trials: Readonly<Record<string, Trial>> = {
  quiet: { standing: 'beside-here', cut: null },
  copy: { standing: 'beside-here', cut: { phase: 'data', step: 'Copy', copied: 0.4 } },
  hold: { standing: 'apart', cut: { phase: 'finalize', step: 'Hold requests' } },
  'hold-beside': { standing: 'beside-here', cut: { phase: 'finalize', step: 'Hold requests' } },
  switch: { standing: 'apart', cut: { phase: 'finalize', step: 'Switch the databases' } },
  'switch-beside': {
    standing: 'beside-here',
    cut: { phase: 'finalize', step: 'Switch the databases' },
  },
  start: { standing: 'apart', cut: { phase: 'finalize', step: 'Start the application' } },
  'start-beside': {
    standing: 'beside-here',
    cut: { phase: 'finalize', step: 'Start the application', strands: true },
  },
  redirect: { standing: 'apart', cut: { phase: 'finalize', step: 'Redirect' } },
  follow: {
    standing: 'apart',
    cut: { phase: 'finalize', step: 'Keep the old databases', strands: true },
  },
  'follow-beside': {
    standing: 'beside-here',
    cut: { phase: 'finalize', step: 'Keep the old databases', strands: true },
  },
  back: {
    standing: 'beside-here',
    cut: { phase: 'rollback', step: 'Switch the databases', strands: true },
  },
};
