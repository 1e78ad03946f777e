import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type AppHealth, type Operation, operation } from '../../region/model.js';
import { jsonFilesIn, readJsonFile, writeJsonFile } from '../../shared/json-file.js';
import type { Shelf } from './shelf.js';

/** Operations that are kept of an app. */
const kept = 20;

/** Scaling and restarting of apps, to be asked after while and after they happen. */
export class Operations {
  readonly #shelf: Shelf;
  readonly #health: (app: string) => AppHealth;

  /** @param parts.health how the processes of an app do */
  constructor(parts: { shelf: Shelf; health: (app: string) => AppHealth }) {
    this.#shelf = parts.shelf;
    this.#health = parts.health;
  }

  /** Writes down what is asked for, does `work`, and notes a failure. Without an id it only does the work. */
  async during<T>(
    app: string,
    asked: { id: string | undefined; type: Operation['type'] },
    work: () => Promise<T>,
  ): Promise<T> {
    if (asked.id === undefined) return work();
    const begun: Operation = {
      id: asked.id,
      type: asked.type,
      status: 'running',
      createdAt: now(),
      finishedAt: null,
      error: null,
    };
    this.#shelf.get(app);
    await mkdir(this.#folder(app), { recursive: true, mode: 0o700 });
    await this.#write(app, begun);
    try {
      const result = await work();
      await this.#forgetOld(app);
      return result;
    } catch (error) {
      await rm(this.#file(app, begun.id), { force: true }); // it was refused: there is no operation
      throw error;
    }
  }

  /** One that goes on is over as soon as the processes have settled. */
  async find({ app, operation: id }: { app: string; operation: string }) {
    const { started } = this.#shelf.get(app);
    const found = await readJsonFile(this.#file(app, id), operation);
    if (found?.status !== 'running') return found;
    const { state, reason } = this.#health(app);
    if (started && state === 'starting') return found;
    const failed = started && state === 'unhealthy';
    const over: Operation = {
      ...found,
      status: failed ? 'error' : 'done',
      finishedAt: now(),
      error: failed ? reason : null,
    };
    await this.#write(app, over);
    return over;
  }

  async #forgetOld(app: string): Promise<void> {
    const names = await jsonFilesIn(this.#folder(app));
    if (names.length <= kept) return;
    const all = await Promise.all(
      names.map((name) => readJsonFile(this.#path(app, name), operation)),
    );
    const byAge = all
      .flatMap((one) => one ?? [])
      .sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
    for (const { id } of byAge.slice(kept)) await rm(this.#file(app, id), { force: true });
  }

  async #write(app: string, one: Operation): Promise<void> {
    await writeJsonFile(this.#file(app, one.id), one);
  }

  #folder(app: string): string {
    return join(this.#shelf.folder(app), 'operations');
  }

  #path(app: string, name: string): string {
    return join(this.#folder(app), name);
  }

  #file(app: string, id: string): string {
    return this.#path(app, `${id}.json`);
  }
}

const now = () => new Date().toISOString();
