import { messageOf } from '../../shared/errors.js';
import { derivedId } from '../../shared/ids.js';
import { existingApp, type RunnerParts, regionNamed } from '../run.js';
import { compare } from './comparison.js';

type VerifierParts = Pick<
  RunnerParts,
  'store' | 'verifications' | 'verifyShare' | 'regions' | 'logger'
>;

/** Runs verifications that were asked for by themselves. */
export class Verifier {
  readonly #parts: VerifierParts;

  constructor(parts: VerifierParts) {
    this.#parts = parts;
  }

  /** Goes on with a verification to its end; what keeps it from that is written down. */
  async run(id: string): Promise<void> {
    const { store, verifications, verifyShare, regions, logger } = this.#parts;
    const verification = await verifications.get(id);
    const migration = await store.get(verification.migration);
    // It ends by what is written down of it, not by a signal.
    const { signal } = new AbortController();
    try {
      const region = (name: string) =>
        regionNamed(regions, name).onBehalfOf(migration.id, { signal });
      const [source, destination] = [region(migration.source), region(migration.destination)];
      const ground = {
        ...{ migration, source, destination, signal },
        newAppId: derivedId(migration.id, 'app'),
        sourceApp: () => existingApp(source, migration.appId, migration.srcAppName),
      };
      const progress = () => undefined;
      await compare(verification, { store: verifications, ground, share: verifyShare, progress });
    } catch (error) {
      logger.warn({ err: error, verification: id }, 'the databases cannot be compared');
      await verifications.end(id, 'failed', messageOf(error));
    }
  }
}
