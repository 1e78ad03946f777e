import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from 'async-mutex';
import { Refusal } from '../../shared/errors.js';
import { readJsonFile, writeJsonFile } from '../../shared/json-file.js';
import type { Behalf } from '../verbs.js';
import { type AppRecord, appRecord } from './record.js';

interface Kept {
  record: AppRecord;
  readonly changing: Mutex;
}

/** The apps of a region on disk, a folder each. Changes of one app come one after the other. */
export class Shelf {
  readonly #dir: string;
  readonly #kept = new Map<string, Kept>();
  /** Held while it is decided who gets a name. */
  readonly #naming = new Mutex();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Reads what is there; folders without a record were left by a creation that died at once. */
  async open(): Promise<void> {
    await mkdir(this.#dir, { recursive: true });
    for (const id of await readdir(this.#dir)) {
      const record = await readJsonFile(this.#file(id), appRecord);
      if (record) this.#kept.set(id, { record, changing: new Mutex() });
      else await rm(this.folder(id), { recursive: true });
    }
  }

  folder(id: string): string {
    return join(this.#dir, id);
  }

  all(): AppRecord[] {
    return this.#records().filter(({ deleting }) => !deleting);
  }

  /** Those whose removal was begun and has not ended. */
  removals(): AppRecord[] {
    return this.#records().filter(({ deleting }) => deleting);
  }

  /** By id or name. */
  find(ref: string): AppRecord | null {
    const all = this.all();
    return all.find(({ id }) => id === ref) ?? all.find(({ name }) => name === ref) ?? null;
  }

  /** @throws Refusal `not-found` */
  get(id: string): AppRecord {
    const record = this.find(id);
    if (!record) throw Refusal.notFound('App', `This region has no application ${id}.`);
    return record;
  }

  /** @returns the one that is there already, or the new one. @throws Refusal `conflict` when the name is taken */
  async create(record: AppRecord): Promise<AppRecord> {
    return this.#naming.runExclusive(async () => {
      const known = this.#kept.get(record.id);
      if (known) return known.record;
      this.#claim(record.name, record.id);
      await mkdir(this.folder(record.id), { recursive: true, mode: 0o711 });
      const written = await this.#write(record);
      this.#kept.set(record.id, { record: written, changing: new Mutex() });
      return written;
    });
  }

  /**
   * Changes an app: `edit` says what it should be, which is written down before `act` does it.
   * @throws Refusal `conflict` when a migration other than `by` has frozen the app
   */
  async change(
    id: string,
    by: Behalf,
    edit: (record: AppRecord) => AppRecord | Promise<AppRecord>,
    act: (record: AppRecord) => Promise<void> = async () => undefined,
  ): Promise<AppRecord> {
    this.get(id);
    return this.#exclusively(id, async (kept) => {
      refuseFrozen(this.get(id), by);
      const edited = await edit(kept.record);
      // What a migration does in passing is no change of the owner's.
      const isNoted = by === null && edited !== kept.record;
      const updatedAt = isNoted ? new Date().toISOString() : kept.record.updatedAt;
      if (edited !== kept.record) kept.record = await this.#write({ ...edited, updatedAt });
      await act(kept.record);
      return kept.record;
    });
  }

  /** Gives an app another name. */
  async rename(id: string, by: Behalf, name: string): Promise<AppRecord> {
    return this.#naming.runExclusive(() => {
      this.#claim(name, id);
      return this.change(id, by, (record) => ({ ...record, name }));
    });
  }

  /** Removes an app after `act` has removed all that belongs to it; goes on with a removal that was interrupted. */
  async remove(id: string, by: Behalf, act: (record: AppRecord) => Promise<void>): Promise<void> {
    if (!this.#kept.has(id)) return;
    await this.#exclusively(id, async (kept) => {
      if (!this.#kept.has(id)) return;
      if (!kept.record.deleting) refuseFrozen(kept.record, by);
      kept.record = await this.#write({ ...kept.record, deleting: true });
      await act(kept.record);
      await rm(this.folder(id), { recursive: true, force: true });
      this.#kept.delete(id);
    });
  }

  #records(): AppRecord[] {
    return [...this.#kept.values()].map(({ record }) => record);
  }

  #exclusively<T>(id: string, work: (kept: Kept) => Promise<T>): Promise<T> {
    const kept = this.#kept.get(id);
    if (!kept) throw Refusal.notFound('App', `This region has no application ${id}.`);
    return kept.changing.runExclusive(() => work(kept));
  }

  /** In the schema's order, whatever it was put together from: what is the same is the same file. */
  async #write(edited: AppRecord): Promise<AppRecord> {
    const record = appRecord.parse(edited);
    await writeJsonFile(this.#file(record.id), record);
    return record;
  }

  #claim(name: string, id: string): void {
    const holder = this.#records().find((record) => record.name === name);
    if (holder && holder.id !== id) {
      throw Refusal.conflict(
        'name_taken',
        `This region already has an application named ${name}. Choose another name.`,
      );
    }
  }

  #file(id: string): string {
    return join(this.folder(id), 'app.json');
  }
}

function refuseFrozen({ name, frozenBy, edge }: AppRecord, by: Behalf): void {
  if (frozenBy === null || frozenBy === by) return;
  const run = `godwit migration-run ${frozenBy} --app ${name}`;
  // It forwards from the switch on.
  const what =
    edge.kind === 'forward'
      ? `${name} has moved to another region, by migration ${frozenBy}. Change it there. "${run} --rollback" brings it back; "${run} --complete" ends the migration, and leaves this one to you.`
      : `${name} is frozen by migration ${frozenBy}. Wait for its end, or abort it ("godwit migration-abort ${frozenBy} --app ${name}"), before you change the application.`;
  throw Refusal.conflict('frozen', what);
}
