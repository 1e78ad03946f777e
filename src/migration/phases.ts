import { abort } from './abort/abort.js';
import { complete } from './complete/complete.js';
import { data } from './data/data.js';
import { finalize } from './finalize/finalize.js';
import type { PhaseName } from './migration.js';
import type { Phase } from './phase.js';
import { preflight } from './preflight/preflight.js';
import { prepare } from './prepare/prepare.js';
import { rollback } from './rollback/rollback.js';

export const phaseNamed: Readonly<Record<PhaseName, Phase>> = {
  preflight,
  prepare,
  data,
  finalize,
  abort,
  rollback,
  complete,
};
