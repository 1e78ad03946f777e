import type { PhaseName } from '../../src/migration/migration.js';
import type { Random } from './random.js';

/** Products that the app may have a database of, at most one each. */
export const products = ['postgresql', 'mariadb', 'redis'] as const;
export type ProductName = (typeof products)[number];
export type Databases = readonly [ProductName, ...ProductName[]];

/** `home` is where the app is when a run begins, `away` where it is taken. */
export type Victim = 'server' | 'home' | 'away' | `${'home' | 'away'}-${ProductName}`;

/** The way to a region's agent, database or edge, from the server or the other region. */
export type Line = `${'home' | 'away'}-${'control' | 'data' | 'edge'}`;

/** What is done to whom, when a phase comes to a change that it makes in a region. */
export interface Fault {
  /** The verb of the region's protocol, and whether the change has been made. */
  readonly verb: string;
  readonly when: 'before' | 'after';
  readonly what:
    | { readonly kind: 'kill'; readonly victim: Victim }
    /** It is there, and does nothing for a while; of a database, what sends its log to the other region. */
    | { readonly kind: 'stall'; readonly victim: Victim }
    /** Its connections break and none can be made; or they stay, and nothing comes through, or late. */
    | { readonly kind: 'cut' | 'silence' | 'slow'; readonly line: Line }
    /** The app's worker, which then does not hear that it is to end. */
    | { readonly kind: 'hang' };
  /** How long it is away, in milliseconds; a supervisor takes as long to start it again. */
  readonly pause: number;
}

export interface PlannedPhase {
  readonly phase: PhaseName;
  readonly faults: readonly Fault[];
  /** When an abort is asked for, while the phase runs. */
  readonly abortAt: Pick<Fault, 'verb' | 'when'> | null;
}

/** One migration after the other, each as far as it is taken. */
export type Plan = readonly (readonly PlannedPhase[])[];

/** The changes that each phase makes in regions: before and after each of them lies the boundary of a step, or a point within. */
const changes: Partial<Record<PhaseName, readonly [string, ...string[]]>> = {
  prepare: ['freeze', 'createApp', 'fetchBuild', 'changeVariables', 'scale'],
  data: ['addAddon', 'grantFollow', 'follow'],
  finalize: [
    ...(['grantFollow', 'flush', 'hold', 'stop', 'fence', 'waitFor', 'promote'] as const),
    ...(['start', 'grantForward', 'serve', 'forward', 'thaw', 'followBack'] as const),
  ],
  rollback: [
    ...(['freeze', 'grantFollow', 'flush', 'hold', 'stop', 'fence', 'waitFor', 'promote'] as const),
    ...(['start', 'grantForward', 'serve', 'forward', 'revokeFollow', 'thaw'] as const),
    ...(['leaveForward', 'deleteApp'] as const),
  ],
  abort: ['revokeFollow', 'thaw', 'deleteApp'],
  complete: ['hide', 'revokeForward', 'promote', 'revokeFollow', 'deleteApp'],
};

const victims = ['server', 'home', 'away', 'home-database', 'away-database'] as const;
const lines = [
  ...(['home-control', 'home-data', 'home-edge'] as const),
  ...(['away-control', 'away-data', 'away-edge'] as const),
] as const;

/** What one run does; the same for the same numbers and databases of the app. */
export function drawPlan(random: Random, databases: Databases): Plan {
  const last: PhaseName = random.pick(['rollback', 'rollback', 'complete']);
  const whole = migration(random, databases, ['prepare', 'data', 'finalize', last]);
  if (random.chance(0.5)) return [whole];
  const count = random.pick([1, 2, 3, 3]);
  const until = (['prepare', 'data', 'finalize'] as const).slice(0, count);
  return [migration(random, databases, until, true), whole];
}

function migration(
  random: Random,
  databases: Databases,
  phases: readonly PhaseName[],
  isAborted = false,
): PlannedPhase[] {
  return phases.map((phase, index) => {
    const abortAt = isAborted && index === phases.length - 1 ? point(random, phase) : null;
    const isSwitch = phase === 'finalize' || phase === 'rollback';
    const count = random.chance(isSwitch ? 0.9 : 0.15) ? (random.chance(0.3) ? 2 : 1) : 0;
    const faults = Array.from({ length: count }, () => drawFault(random, databases, phase));
    return { phase, faults, abortAt };
  });
}

function drawFault(random: Random, databases: Databases, phase: PhaseName): Fault {
  const what = drawWhat(random, databases);
  return { ...point(random, phase), what, pause: random.between(0, 4) * 500 };
}

function drawWhat(random: Random, databases: Databases): Fault['what'] {
  const victim = drawVictim(random, databases);
  const line = random.pick(lines);
  const kind = random.fraction();
  if (kind < 0.5) return { kind: 'kill', victim };
  if (kind < 0.7) return { kind: 'stall', victim };
  if (kind < 0.95) return { kind: random.pick(['cut', 'silence', 'slow']), line };
  return { kind: 'hang' };
}

function drawVictim(random: Random, databases: Databases): Victim {
  const victim = random.pick(victims);
  if (victim === 'home-database') return `home-${random.pick(databases)}`;
  if (victim === 'away-database') return `away-${random.pick(databases)}`;
  return victim;
}

function point(random: Random, phase: PhaseName): Pick<Fault, 'verb' | 'when'> {
  return {
    verb: random.pick(changes[phase] ?? ['freeze']),
    when: random.pick(['before', 'after']),
  };
}

/** A fault in a few words. */
export function nameOf({ what, when, verb }: Fault): string {
  const whom = 'victim' in what ? ` ${what.victim}` : 'line' in what ? ` ${what.line}` : '';
  return `${what.kind}${whom} ${when} ${verb}`;
}
