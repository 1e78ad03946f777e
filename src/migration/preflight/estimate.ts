import type { Sample } from '../../region/model.js';
import type { Looks } from '../../region/region.js';
import { bytes } from '../../shared/bytes.js';
import { messageOf } from '../../shared/errors.js';
import { check } from './check.js';

/** What a switch takes beside the start of the app: draining, stopping, fencing, promoting; in ms. */
const aroundTheBoot = 700;
/** When it has not been measured, in ms. */
const usualBoot = 500;

/** Measures how fast data travels and how long the app takes to start. Never in the way. */
export const estimate = check({
  title: 'Estimate the copy and the switch',
  async look({ migration, sourceApp, source, destination, log }) {
    const { addons, started, settings } = await sourceApp();
    const found = await Promise.allSettled(
      addons.map(({ id }) => source.inspect({ database: id })),
    );
    // One that does not answer, another check tells of.
    const sizes = found.map((one) => (one.status === 'fulfilled' ? one.value.size : 0));
    const size = sizes.reduce((sum, one) => sum + one, 0);
    if (size > 0) {
      const sample = await take(source, destination);
      if (typeof sample === 'string') {
        return log(`How long copying takes could not be tried. ${sample}`);
      }
      const rate = sample.bytes / (sample.milliseconds / 1000);
      log(
        `Copying ${bytes(size)} takes about ${inWords(size / rate)}: ${bytes(sample.bytes)} were copied to try, at ${bytes(Math.round(rate))}/s. The app stays up.`,
      );
    } else log('There is no data to copy.');
    if (!started) return log('Expected downtime: none. The app is stopped, and stays stopped.');
    const { processes } = await source.health({ app: migration.appId });
    const web = processes.filter(({ name }) => name.startsWith('web-'));
    const boots = web.flatMap(({ bootTime }) => bootTime ?? []);
    const boot = boots.length > 0 ? Math.max(...boots) : usualBoot;
    const inSeconds = (time: number) => `${(time / 1000).toFixed(1)} s`;
    const [hold, why] = settings.prewarm
      ? [aroundTheBoot, 'since its web processes start ahead']
      : [aroundTheBoot + boot, `of which the app takes ${inSeconds(boot)} to start`];
    log(`Expected downtime: none. Requests wait about ${inSeconds(hold)} during finalize, ${why}.`);
  },
});

async function take(source: Looks, destination: Looks): Promise<Sample | string> {
  try {
    return await destination.takeSample({ offer: await source.offerProbe({}) });
  } catch (error) {
    return messageOf(error);
  }
}

function inWords(seconds: number): string {
  if (seconds < 1) return 'a second';
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 5_400) return `${Math.ceil(seconds / 60)} minutes`;
  return `${(seconds / 3_600).toFixed(1)} hours`;
}
