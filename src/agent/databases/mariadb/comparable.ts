import pRetry from 'p-retry';
import type { Contents, Look, Seen } from '../../../region/model.js';
import { Refusal } from '../../../shared/errors.js';
import type { Comparable } from '../product.js';
import { admitReader, contentsOf, readPartId } from './compared.js';
import { lookAtDefinitions } from './definitions.js';
import { lookAtRows } from './rows.js';
import type { MariadbServer } from './server.js';
import { errorNumber } from './session.js';

/** Numbers of errors, by what they mean for a look. */
const errors = {
  /** `ER_BAD_DB_ERROR`, `ER_BAD_FIELD_ERROR`, `ER_NO_SUCH_TABLE`, `ER_KEY_DOES_NOT_EXITS`, `ER_VERS_NOT_VERSIONED`: it is not there, or another one by now. */
  gone: [1049, 1054, 1146, 1176, 4124],
  /** `ER_STATEMENT_TIMEOUT`: it took longer than it may. */
  slow: [1969],
  /** `ER_LOCK_WAIT_TIMEOUT`, `ER_LOCK_DEADLOCK`, `ER_TABLE_DEF_CHANGED`: somebody is changing the table itself. */
  conflict: [1205, 1213, 1412],
};

/** How often a look at a table that is being changed is tried again. */
const retries = 10;
/** After what a session that has not answered is given up, in milliseconds. */
const patience = 60_000;

/** Compares a server with its followers, which have the same, in places of their own. */
export class ComparableServer implements Comparable {
  readonly #server: MariadbServer;
  readonly #password: () => string;

  /** @param password of the superuser, and of the reader */
  constructor(server: MariadbServer, password: () => string) {
    this.#server = server;
    this.#password = password;
  }

  async contents(): Promise<Contents> {
    return this.#server.asSuperuser(this.#password(), async (session) => {
      await admitReader(session, this.#password());
      return contentsOf(session);
    });
  }

  async digest(part: string, looks: readonly Look[]): Promise<Seen | null> {
    const what = readPartId(part);
    const attempt = () => {
      const late = AbortSignal.timeout(patience);
      return 'definitions' in what
        ? this.#server.asSuperuser(
            this.#password(),
            (session) => lookAtDefinitions(session, what.definitions, looks),
            late,
          )
        : this.#server.asReader(
            this.#password(),
            (session) => lookAtRows(session, what, looks),
            late,
          );
    };
    return pRetry(attempt, {
      retries,
      minTimeout: 20,
      maxTimeout: 500,
      shouldRetry: ({ error }) => errors.conflict.includes(errorNumber(error) ?? 0),
    }).catch((error) => {
      const number = errorNumber(error) ?? 0;
      if (errors.gone.includes(number)) return null;
      if (errors.slow.includes(number)) {
        throw new Refusal(
          'too-large',
          'definitions' in what || what.key
            ? 'So many of them take too long to look at. Ask for fewer.'
            : `${what.schema}.${what.table} has no key to divide it by, and takes too long to look at. Give it a primary key.`,
        );
      }
      throw error;
    });
  }
}
