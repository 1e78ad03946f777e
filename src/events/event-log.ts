import { type Insertable, type Kysely, type Selectable, sql } from 'kysely';
import { newId } from '../shared/ids.js';
import type { Event, NewEvent } from './event.js';
import type { EventTables } from './schema.js';

/** Of which events a page is asked for. */
export interface EventPage {
  /** Of one app and the migrations that it came of, or of what one user did and what happened to the apps that they may see. */
  readonly of:
    | { readonly app: string; readonly migrations: readonly string[] }
    | { readonly user: string; readonly apps: readonly string[] };
  /** Only those after it. */
  readonly since: Date | null;
  readonly offset: number;
  readonly limit: number;
}

/** The migration that an event tells of; null when it tells of none. */
const migrationId = sql<string | null>`type_data ->> 'migration_id'`;

/** What happened, in PostgreSQL. */
export class EventLog {
  readonly #db: Kysely<EventTables>;

  constructor(db: Kysely<EventTables>) {
    this.#db = db;
  }

  async note(happened: NewEvent): Promise<void> {
    await this.#db.insertInto('events').values(eventRow(happened)).execute();
  }

  /** Newest first, and how many there are in all. */
  async page({ of, since, offset, limit }: EventPage): Promise<{ events: Event[]; count: number }> {
    const meant = this.#db
      .selectFrom('events')
      .where((where) =>
        where.and([
          'app' in of
            ? where.or([
                where('app_id', '=', of.app),
                where(migrationId, '=', sql<string>`ANY (${of.migrations})`),
              ])
            : where.or([
                where('user_id', '=', of.user),
                where('app_id', '=', sql<string>`ANY (${of.apps})`),
              ]),
          ...(since ? [where('created_at', '>', since)] : []),
        ]),
      );
    const rows = await meant
      .selectAll()
      .orderBy('created_at', 'desc')
      .offset(offset)
      .limit(limit)
      .execute();
    const { count } = await meant
      .select((select) => select.fn.countAll<string>().as('count'))
      .executeTakeFirstOrThrow();
    return { events: rows.map(toEvent), count: Number(count) };
  }

  /** Those that nobody has been told of yet, oldest first. */
  async untold(types: readonly string[]): Promise<Event[]> {
    const rows = await this.#db
      .selectFrom('events')
      .selectAll()
      .where('told_at', 'is', null)
      .where('type', 'in', types)
      .orderBy('created_at')
      .limit(100)
      .execute();
    return rows.map(toEvent);
  }

  async markTold(id: string): Promise<void> {
    await this.#db
      .updateTable('events')
      .set({ told_at: sql`now()` })
      .where('id', '=', id)
      .execute();
  }
}

/** An event as a row, to be inserted in the transaction of what it tells of. */
export function eventRow(happened: NewEvent): Insertable<EventTables['events']> {
  const { user, appId, appName, type, data } = happened;
  return {
    id: newId(),
    user: user && JSON.stringify(user),
    user_id: user?.id ?? null,
    app_id: appId,
    app_name: appName,
    type,
    type_data: JSON.stringify(data),
  };
}

function toEvent(row: Selectable<EventTables['events']>): Event {
  return {
    id: row.id,
    createdAt: row.created_at.toISOString(),
    user: row.user,
    appId: row.app_id,
    appName: row.app_name,
    type: row.type,
    data: row.type_data,
  };
}
