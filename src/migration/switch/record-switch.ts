import { until } from '../../shared/until.js';
import type { Step } from '../phase.js';
import { holdOf, type Part, partsOf, switching } from './record.js';
import type { Way } from './way.js';

/** How long after the release is part of the record, in milliseconds. */
const aftermath = 1_000;

const words: Record<Part, string> = {
  drain: 'answering what was under way',
  stop: 'stopping the app',
  fence: 'fencing the databases',
  'catch-up': 'catching up, or copying what could not be before',
  promote: 'promoting',
  boot: 'starting the app',
  release: 'releasing',
};

/** Writes down how long the switch took, and what the edge that held requests saw of it. */
export const recordSwitch = (way: Way): Step => ({
  title: 'Record the switch',
  async run(context) {
    const { migration, record, log } = context;
    const phase = switching.find((one) => one === migration.phase);
    const marks = (phase && migration.switches[phase]?.marks) ?? {};
    const released = Date.parse(marks.released ?? '') || Date.now();
    await until(async () => Date.now() >= released + aftermath, {
      timeout: 2 * aftermath,
      what: 'the first second after the release',
    });
    const { region, app } = way.from(context);
    const { traffic } = await region.holdReport({ app });
    await record.traffic(traffic);
    for (const { part, took } of partsOf(marks)) log(`${took} ms for ${words[part]}`);
    log(`${holdOf(marks) ?? 0} ms in all`);
  },
});
