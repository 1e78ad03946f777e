import type { Neighbour, ProbeOffer, RegionDescription } from '../../region/model.js';
import { messageOf, Refusal } from '../../shared/errors.js';
import type { Rate } from '../../shared/pace.js';
import { networksOf } from '../networks.js';
import type { Performs } from '../verbs.js';
import { memoryOf, roomIn } from './host.js';
import { offerProbe } from './offer.js';
import { forgetSamples, reach, takeSample } from './probe.js';

type Verbs = Performs<'describe' | 'memoryOf' | 'room' | 'offerProbe' | 'reach' | 'takeSample'>;

export interface ProbesParts {
  /** The region's folder. */
  readonly dir: string;
  /** The folder of its databases, which may be on a disk of its own. */
  readonly databases: string;
  /** Address of this host. */
  readonly host: string;
  /** How fast a database of this host may be copied. */
  readonly copyRate: Rate;
  readonly describe: () => Promise<RegionDescription>;
}

/** What a region can tell of its host and of the way to other regions. Nothing here changes anything. */
export class Probes implements Verbs {
  readonly #parts: ProbesParts;

  constructor(parts: ProbesParts) {
    this.#parts = parts;
  }

  /** Removes what was being tried when the agent died. */
  recover(): Promise<void> {
    return forgetSamples(this.#parts.dir);
  }

  describe() {
    return this.#parts.describe();
  }

  async memoryOf({ app }: { app: string }) {
    return { memory: await memoryOf(app) };
  }

  room() {
    return roomIn(this.#parts.databases);
  }

  async offerProbe({ from = [] }: { from?: readonly string[] | undefined }) {
    const { host, copyRate } = this.#parts;
    return offerProbe(host, await networksOf(from), copyRate);
  }

  async reach({ neighbour }: { neighbour: Neighbour }) {
    return { failures: await reach(neighbour) };
  }

  async takeSample({ offer }: { offer: ProbeOffer }) {
    return takeSample(offer, this.#parts.dir).catch((error) => {
      throw new Refusal('unavailable', `Nothing could be copied to try: ${messageOf(error)}.`);
    });
  }
}
