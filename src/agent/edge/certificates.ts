import { createSecureContext, type SecureContext } from 'node:tls';
import type { DomainTls } from '../../region/model.js';
import { messageOf } from '../../shared/errors.js';
import type { Logger } from '../../shared/logging.js';

interface Kept {
  readonly tls: DomainTls;
  /** Null when the certificate cannot be used. */
  readonly context: SecureContext | null;
}

/** The certificates of the apps, ready to be shown. One that cannot be used is as if it were not there. */
export class Certificates {
  readonly #logger: Logger;
  readonly #apps = new Map<string, ReadonlyMap<string, Kept>>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /**
   * Takes over the certificates of an app, by host name.
   * @returns whether others than before are shown
   */
  set(app: string, given: ReadonlyMap<string, DomainTls>): boolean {
    const before = this.#apps.get(app) ?? new Map<string, Kept>();
    const now = new Map(
      [...given].map(([name, tls]) => {
        const known = before.get(name);
        return [name, known && isSame(known.tls, tls) ? known : this.#read(app, name, tls)];
      }),
    );
    if (now.size > 0) this.#apps.set(app, now);
    else this.#apps.delete(app);
    return before.size !== now.size || [...now].some(([name, kept]) => before.get(name) !== kept);
  }

  /** @returns undefined when the app has none for this host name that can be used */
  find(app: string, hostname: string): SecureContext | undefined {
    return this.#apps.get(app)?.get(hostname)?.context ?? undefined;
  }

  #read(app: string, hostname: string, tls: DomainTls): Kept {
    try {
      return { tls, context: createSecureContext({ cert: tls.certificate, key: tls.key }) };
    } catch (error) {
      const what = `the certificate of ${hostname} cannot be used: ${messageOf(error)}`;
      this.#logger.warn({ app }, what);
      return { tls, context: null };
    }
  }
}

function isSame(one: DomainTls, other: DomainTls): boolean {
  return one.certificate === other.certificate && one.key === other.key;
}
