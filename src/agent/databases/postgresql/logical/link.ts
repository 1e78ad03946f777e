import type pg from 'pg';
import { formatLsn, parseLsn } from '../../../../postgresql/lsn.js';
import { atRemote, type RemoteSession } from '../../../../postgresql/remote.js';
import type { CopyProgress } from '../../../../shared/copy-progress.js';
import { Refusal } from '../../../../shared/errors.js';
import { newSecret } from '../../../../shared/ids.js';
import { Pace } from '../../../../shared/pace.js';
import { until } from '../../../../shared/until.js';
import type { Link } from '../link.js';
import { atPaceOfPrimary } from '../primary-pace.js';
import { dropAllSlots } from '../queries.js';
import type { LogicalEndpoint } from '../record.js';
import type { Server } from '../server.js';
import { connectionInfo } from '../settings.js';
import { carry, carryUnlogged } from './carry.js';
import { carryClusterWide } from './cluster-wide.js';
import { copyDatabases } from './copy.js';
import { databasesOf, slotName } from './names.js';
import { grantFormerPrimary, inEveryDatabase } from './primary.js';
import { hasScripts } from './scripts.js';
import { whyNotApplied } from './stuck.js';
import { appliedPosition, flushApplied, subscribe, unsubscribe } from './subscription.js';
import { restoreTriggers, silenceTriggers } from './triggers.js';
import { disownWriter, dropWriter, ensureWriter, grantWriterAll, writer } from './writer.js';

/** How long a primary that may be gone is asked for what streams do not carry, in milliseconds. */
const lastCarryPatience = 30_000;

/** A follower of its own making, such as of another major, that is kept like its primary by rows. */
export class LogicalLink implements Link {
  readonly #server: Server;
  readonly #endpoint: LogicalEndpoint;

  constructor(server: Server, endpoint: LogicalEndpoint) {
    this.#server = server;
    this.#endpoint = endpoint;
  }

  async copy(onProgress: (progress: CopyProgress) => void, signal: AbortSignal): Promise<void> {
    const { cluster } = this.#server;
    if (await this.#canOnlyBeFilled()) await cluster.dropSlots();
    else await cluster.wipe();
    await cluster.initialise({ sync: false });
    await this.#server.start(signal);
    await atPaceOfPrimary(this.#endpoint, { database: 'postgres', signal }, (rate) =>
      copyDatabases(this.#server, this.#endpoint, new Pace(rate), onProgress, signal),
    );
    await this.#subscribe();
    // Until here nothing had to survive a crash.
    await cluster.stop(signal);
    await cluster.sync();
    signal.throwIfAborted();
    await this.#server.write({
      following: { endpoint: this.#endpoint, copied: true, carried: false },
    });
    await this.#server.start(signal);
  }

  async discard(): Promise<void> {
    const { cluster } = this.#server;
    if (await this.#canOnlyBeFilled().catch(() => true)) await cluster.crash();
    else await cluster.wipe();
  }

  async lag(): Promise<number | null> {
    const applied = await this.#server.query(appliedPosition);
    if (applied === 0n) return null;
    const { rows } = await this.#atPrimary('postgres', (client) =>
      client.query<{ lag: string }>(
        'SELECT greatest(0, pg_wal_lsn_diff(pg_current_wal_flush_lsn(), $1)) AS lag',
        [formatLsn(applied)],
      ),
    ).catch(() => ({ rows: [] })); // nobody knows how much a primary has that does not answer
    return rows[0] ? Number(rows[0].lag) : null;
  }

  async isKept(): Promise<boolean> {
    const databases = await this.#atPrimary('postgres', databasesOf);
    const { rowCount } = await this.#atPrimary('postgres', (client) =>
      client.query(
        `SELECT FROM pg_replication_slots
          WHERE starts_with(slot_name, $1) AND wal_status <> 'lost'`,
        [this.#endpoint.slot],
      ),
    );
    return rowCount === databases.length;
  }

  stuckOn(): Promise<string | null> {
    return this.#server.query((client) => whyNotApplied(client, this.#server.cluster));
  }

  /** When the rows are there, and the primary is fenced, what streams do not carry is brought along. */
  async waitFor(position: string, timeout: number): Promise<void> {
    const wanted = parseLsn(position);
    const signal = AbortSignal.timeout(Math.max(1, timeout));
    await this.#server.query(
      async (client) => {
        await until(async () => (await appliedPosition(client)) >= wanted, {
          timeout,
          every: 5,
          what: `the follower to apply ${position}`,
        }).catch(async (error) => {
          const why = await whyNotApplied(client, this.#server.cluster).catch(() => null);
          throw why === null ? error : Refusal.conflict('stuck', why);
        });
        await flushApplied(client);
      },
      { signal },
    );
    if (await this.#isPrimaryFenced(signal)) await this.#carry(signal);
  }

  async promote(signal?: AbortSignal): Promise<void> {
    const { record } = this.#server;
    const signals = [AbortSignal.timeout(lastCarryPatience), ...(signal ? [signal] : [])];
    await this.#carryLast(AbortSignal.any(signals));
    const { follower, slot: name } = this.#endpoint;
    const grant = record.grants.find((one) => one.follower === follower) ?? {
      ...{ follower, name, password: newSecret(), link: 'logical' as const, from: [] },
    };
    await this.#server.write({ grants: [grant] });
    await this.#server.insist(async () => undefined, signal);
    await inEveryDatabase(this.#server, unsubscribe);
    await inEveryDatabase(this.#server, restoreTriggers);
    await inEveryDatabase(this.#server, disownWriter);
    await this.#server.query(dropWriter);
    // From here on, before anybody else can write, everything is kept for the former primary.
    await grantFormerPrimary(this.#server, grant);
    signal?.throwIfAborted();
    await this.#server.write({ role: 'primary', following: null });
    await this.#server.reconfigure();
  }

  async followBack(): Promise<void> {
    await this.#server.start();
    await this.#server.reconfigure();
    await this.#server.query(dropAllSlots);
    await this.#subscribe();
  }

  /**
   * A former primary that was taken back has all but the rows still, since nothing else can have
   * changed. An older version can be had in no other way.
   */
  async #canOnlyBeFilled(): Promise<boolean> {
    if (!(await this.#server.cluster.exists())) return false;
    const [database] = await this.#atPrimary('postgres', databasesOf);
    return database !== undefined && !(await this.#atPrimary(database.name, hasScripts));
  }

  async #subscribe(): Promise<void> {
    await this.#server.query(ensureWriter);
    const there = await this.#atPrimary('postgres', databasesOf);
    await inEveryDatabase(this.#server, async (client, { name }) => {
      const original = there.find((one) => one.name === name);
      if (!original) throw new Error(`The primary has no database ${name}.`);
      await grantWriterAll(client);
      await silenceTriggers(client);
      await subscribe(client, {
        connection: connectionInfo(this.#endpoint, { dbname: name }),
        slot: slotName(this.#endpoint.slot, original),
      });
    });
  }

  /**
   * Nothing is left to be carried when it was waited for and the primary is fenced still. Otherwise
   * it is to stand alone, with what can be had of a primary that may be gone.
   */
  async #carryLast(signal: AbortSignal): Promise<void> {
    try {
      const isFenced = await this.#isPrimaryFenced(signal);
      const isFinal = this.#server.record.following?.carried && isFenced;
      if (!isFinal) await this.#carry(signal);
    } catch (error) {
      this.#server.logger.warn(
        { err: error },
        'promoted with what streams do not carry as it was last',
      );
    }
  }

  async #isPrimaryFenced(signal: AbortSignal): Promise<boolean> {
    const { rows } = await this.#atPrimary(
      'postgres',
      (client) =>
        client.query<{ fenced: boolean }>(
          "SELECT current_setting('default_transaction_read_only')::bool AS fenced",
        ),
      { signal },
    );
    return rows[0]?.fenced ?? false;
  }

  async #carry(signal: AbortSignal): Promise<void> {
    for (const { name: database } of await this.#server.query(databasesOf, { signal })) {
      await this.#atPrimary(
        database,
        async (primary) => {
          await this.#server.query((client) => carryUnlogged(primary, client), {
            ...{ database, user: writer, signal },
          });
          await this.#server.query(
            async (client) => {
              await carryClusterWide(primary, client);
              await carry(primary, client);
            },
            { database, signal },
          );
        },
        { signal },
      );
    }
    const { following } = this.#server.record;
    if (following) await this.#server.write({ following: { ...following, carried: true } });
  }

  #atPrimary<T>(
    database: string,
    use: (client: pg.Client) => Promise<T>,
    how: Omit<RemoteSession, 'database'> = {},
  ): Promise<T> {
    return atRemote(this.#endpoint, use, { database, ...how });
  }
}
