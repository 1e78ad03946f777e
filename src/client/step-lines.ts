import type { MigrationJson } from '../api/region-migrations/presenter.js';
import { bytes } from '../shared/bytes.js';

type Amount = Pick<NonNullable<StepJson['progress']>, 'done' | 'total' | 'rate'>;
type StepJson = MigrationJson['steps'][number];
/** A step of a migration, or of the plan of one. */
type AnyStep = Pick<StepJson, 'name' | 'logs'> & {
  readonly status: keyof typeof signs;
  readonly progress?: StepJson['progress'];
};

const signs = { running: '…', done: '✓', error: '✗', planned: '·' } as const;
const barWidth = 24;

/** A step as a line, with a bar while it copies. */
export function stepLine({ name, status, progress }: AnyStep): string {
  const bar =
    status === 'running' && progress && progress.total > 0 ? `  ${progressBar(progress)}` : '';
  return `${signs[status]} ${name}${bar}`;
}

/** The logs of a step, indented below it. */
export function logLines({ logs }: Pick<AnyStep, 'logs'>): string[] {
  return logs === null ? [] : logs.split('\n').map((line) => `    ${line}`);
}

/** A bar for each database, where several are copied side by side. */
export function databaseLines({ progress }: Pick<StepJson, 'progress'>): string[] {
  const { databases = [] } = progress ?? {};
  if (databases.length < 2) return [];
  const widest = Math.max(...databases.map(({ name }) => name.length));
  return databases.map((one) => `    ${one.name.padEnd(widest)}  ${progressBar(one)}`);
}

function progressBar({ done, total, rate }: Amount): string {
  const filled = total === 0 ? 0 : Math.round((barWidth * Math.min(done, total)) / total);
  const bar = '█'.repeat(filled).padEnd(barWidth, '░');
  return `${bar} ${bytes(done)} of ${bytes(Math.max(done, total))}, ${bytes(rate)}/s`;
}
