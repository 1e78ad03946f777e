import type { Inspection } from '../../region/model.js';
import { bytes } from '../../shared/bytes.js';
import { inWords, type Speed, trySpeed } from '../speed.js';
import { requireTime } from '../switch/hold-budget.js';
import { check } from './check.js';

/** What a switch takes beside the start of the app: draining, stopping, fencing, promoting; in ms. */
const aroundTheBoot = 700;
/** When it has not been measured, in ms. */
const usualBoot = 500;

/**
 * Measures how fast data travels and how long the app takes to start. In the way only when
 * copying what has to wait for the switch would take longer than requests may wait.
 */
export const estimate = check({
  title: 'Estimate the copy and the switch',
  async look({ migration, sourceApp, source, destination, holdBudget, copyBudget, log }) {
    const { addons, started, settings } = await sourceApp();
    const looks = await Promise.allSettled(
      addons.map(({ id }) => source.inspect({ database: id })),
    );
    // One that does not answer, another check tells of.
    const found = looks.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    const size = found.reduce((sum, one) => sum + one.size, 0);
    const rest = found.reduce((sum, one) => sum + restOf(one), 0);
    const speed = size > 0 ? await trySpeed(source, destination) : null;
    if (typeof speed === 'string') {
      return log(`How long copying takes could not be tried. ${speed}`);
    }
    const time = (amount: number) => (speed ? (amount * 1_000) / speed.rate : 0);
    log(speed ? copyInWords(size, rest, speed) : 'There is no data to copy.');
    for (const one of found.filter(({ move }) => move.kind === 'offline')) {
      log(
        `${one.product}: ${bytes(restOf(one))} are copied while the app is stopped, which takes about ${inWords(time(restOf(one)))}.`,
      );
    }
    requireTime(time(rest), rest, copyBudget);
    if (!started) return log('Expected downtime: none. The app is stopped, and stays stopped.');
    const { processes } = await source.health({ app: migration.appId });
    const web = processes.filter(({ name }) => name.startsWith('web-'));
    const boots = web.flatMap(({ bootTime }) => bootTime ?? []);
    const boot = boots.length > 0 ? Math.max(...boots) : usualBoot;
    const hold = aroundTheBoot + time(rest) + (settings.prewarm ? 0 : boot);
    const reasons = [
      settings.prewarm
        ? 'since its web processes start ahead'
        : `of which the app takes ${inSeconds(boot)} to start`,
      ...(rest > 0 ? [`and the copy of what changes ${inSeconds(time(rest))}`] : []),
    ];
    const wait = `Requests wait about ${inSeconds(hold)} during finalize, ${reasons.join(', ')}.`;
    log(
      hold <= holdBudget
        ? `Expected downtime: none. ${wait}`
        : `Expected downtime: about ${inWords(hold)}. ${wait} Clients that do not wait for so long see an error.`,
    );
  },
});

function restOf({ move }: Inspection): number {
  return move.kind === 'offline' ? move.rest : 0;
}

function copyInWords(size: number, rest: number, speed: Speed): string {
  const ahead = rest > 0 ? `, all but ${bytes(rest)} while the app stays up` : '. The app stays up';
  return `Copying ${bytes(size)} takes about ${inWords((size * 1_000) / speed.rate)}: ${bytes(speed.bytes)} were copied to try, at ${bytes(Math.round(speed.rate))}/s${ahead}.`;
}

const inSeconds = (time: number) => `${(time / 1000).toFixed(1)} s`;
