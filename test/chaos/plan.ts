import type { PhaseName } from '../../src/migration/migration.js';
import type { Random } from './random.js';

/** `home` is where the app is when a run begins, `away` where it is taken. */
export type Victim = 'server' | 'home' | 'away' | 'home-database' | 'away-database';

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

/** What one run does; the same for the same numbers. */
export function drawPlan(random: Random): Plan {
  const last: PhaseName = random.pick(['rollback', 'rollback', 'complete']);
  const whole = migration(random, ['prepare', 'data', 'finalize', last]);
  if (random.chance(0.5)) return [whole];
  const count = random.pick([1, 2, 3, 3]);
  const until = (['prepare', 'data', 'finalize'] as const).slice(0, count);
  return [migration(random, until, true), whole];
}

function migration(
  random: Random,
  phases: readonly PhaseName[],
  isAborted = false,
): PlannedPhase[] {
  return phases.map((phase, index) => {
    const abortAt = isAborted && index === phases.length - 1 ? point(random, phase) : null;
    const isSwitch = phase === 'finalize' || phase === 'rollback';
    const count = random.chance(isSwitch ? 0.9 : 0.15) ? (random.chance(0.3) ? 2 : 1) : 0;
    const faults = Array.from({ length: count }, () => drawFault(random, phase));
    return { phase, faults, abortAt };
  });
}

function drawFault(random: Random, phase: PhaseName): Fault {
  return { ...point(random, phase), what: drawWhat(random), pause: random.between(0, 4) * 500 };
}

function drawWhat(random: Random): Fault['what'] {
  const victim = random.pick(victims);
  const line = random.pick(lines);
  const kind = random.fraction();
  if (kind < 0.5) return { kind: 'kill', victim };
  if (kind < 0.7) return { kind: 'stall', victim };
  if (kind < 0.95) return { kind: random.pick(['cut', 'silence', 'slow']), line };
  return { kind: 'hang' };
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
