import type { Sample } from '../../region/model.js';
import type { Looks } from '../../region/region.js';
import { bytes } from '../../shared/bytes.js';
import { Refusal } from '../../shared/errors.js';
import { check } from './check.js';

/** What a switch takes beside the start of the app: draining, stopping, fencing, promoting; in ms. */
const aroundTheBoot = 700;
/** When it has not been measured, in ms. */
const usualBoot = 500;

/** Measures how fast data travels and how long the app takes to start. Never in the way. */
export const estimate = check({
  title: 'Estimate the copy and the switch',
  async look({ migration, sourceApp, source, destination, log }) {
    const { addons, started } = await sourceApp();
    const databases = await Promise.all(addons.map(({ id }) => source.inspect({ database: id })));
    const size = databases.reduce((sum, one) => sum + one.size, 0);
    if (size > 0) {
      const sample = await take(source, destination);
      if (!sample)
        return log(
          'How fast data travels could not be tried: the regions do not reach each other.',
        );
      const rate = sample.bytes / (sample.milliseconds / 1000);
      log(
        `Copying ${bytes(size)} takes about ${inWords(size / rate)}: ${bytes(sample.bytes)} were copied to try, at ${bytes(Math.round(rate))}/s. The app stays up.`,
      );
    } else log('There is no data to copy.');
    if (!started) return log('Expected downtime: none. The app is stopped, and stays stopped.');
    const { processes } = await source.health({ app: migration.appId });
    const boots = processes.flatMap(({ bootTime }) => bootTime ?? []);
    const boot = boots.length > 0 ? Math.max(...boots) : usualBoot;
    log(
      `Expected downtime: none. Requests wait about ${((aroundTheBoot + boot) / 1000).toFixed(1)} s during finalize, of which the app takes ${(boot / 1000).toFixed(1)} s to start.`,
    );
  },
});

async function take(source: Looks, destination: Looks): Promise<Sample | null> {
  const offer = await source.offerProbe({});
  return destination.takeSample({ offer }).catch((error) => {
    if (error instanceof Refusal && error.kind === 'unavailable') return null; // another check tells
    throw error;
  });
}

function inWords(seconds: number): string {
  if (seconds < 1) return 'a second';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5_400) return `${Math.ceil(seconds / 60)} minutes`;
  return `${(seconds / 3_600).toFixed(1)} hours`;
}
