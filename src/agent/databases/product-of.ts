import { mkdir } from 'node:fs/promises';
import type { z } from 'zod';
import type { Platform } from '../../region/model.js';
import { Refusal } from '../../shared/errors.js';
import { newSecret } from '../../shared/ids.js';
import { readJsonFile, writeJsonFile } from '../../shared/json-file.js';
import type { Database, Product, Provision } from './product.js';

/** What is particular to a product whose databases are servers of their own. */
export interface ProductParts<Program, DatabaseRecord> {
  readonly name: string;
  /** Names for people. */
  readonly title: string;
  readonly description: string;
  readonly plans: readonly string[];
  /** What runs a server of each version, as far as the host has it, newest first. */
  readonly programs: ReadonlyMap<string, Program>;
  /** What the host has to have installed, for people. */
  readonly packages: string;
  /** See {@link Offer}. */
  platforms?(): Promise<Record<string, Platform>>;
  /** Permissions of a database's folder; nobody else's business, if not given. */
  readonly mode?: number;
  /** What is remembered of a database, and the file of its folder that holds it. */
  readonly record: z.ZodType<DatabaseRecord>;
  recordFile(folder: string): string;
  versionOf(record: DatabaseRecord): string;
  /** What is to be remembered of a new one. */
  begin(wanted: Provision): Promise<DatabaseRecord>;
  /** @param program asked for once it is needed; throws when the host does not have it any more */
  open(folder: string, found: DatabaseRecord, program: () => Program): Database;
}

/** A product of what is particular to it. */
export function productOf<Program, DatabaseRecord>(
  parts: ProductParts<Program, DatabaseRecord>,
): Product {
  const { name, title, description, plans, programs, packages } = parts;
  const programFor = (version: string) => {
    const program = programs.get(version);
    if (program !== undefined) return program;
    const offered = [...programs.keys()].join(', ');
    const instead = offered ? `it offers ${offered}` : `its host lacks ${packages}`;
    throw Refusal.invalid('version', `${title} ${version} is not offered here; ${instead}.`);
  };
  const open = (folder: string, found: DatabaseRecord) =>
    parts.open(folder, found, () => programFor(parts.versionOf(found)));
  return {
    name,
    async offer() {
      const versions = [...programs.keys()];
      const platforms = await parts.platforms?.();
      const offer = { product: name, title, description, versions, plans: [...plans] };
      return platforms ? { ...offer, platforms } : offer;
    },
    async provision(folder, wanted) {
      programFor(wanted.version);
      await mkdir(folder, { recursive: true, mode: parts.mode ?? 0o700 });
      const begun = await parts.begin(wanted);
      await writeJsonFile(parts.recordFile(folder), begun);
      const database = open(folder, begun);
      await database.tend();
      return database;
    },
    async open(folder) {
      const found = await readJsonFile(parts.recordFile(folder), parts.record);
      return found && open(folder, found);
    },
  };
}

/** How the application that a new database is for logs in to it. */
export function newLogin(id: string): { user: string; password: string; database: string } {
  const name = `app_${id.slice(0, 8)}`;
  return { user: name, password: newSecret(), database: name };
}
