import { readdir, readFile } from 'node:fs/promises';
import writeFileAtomic from 'write-file-atomic';
import type { z } from 'zod';
import { isMissing } from './errors.js';

/**
 * Reads a JSON file that this program wrote.
 * @returns null when there is no such file
 * @throws when the file does not hold what `schema` describes; the message names the file
 */
export async function readJsonFile<T>(file: string, schema: z.ZodType<T>): Promise<T | null> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Error(`${file} is damaged: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Names of the JSON files in a folder; none when it is not there. One that is being written has another name until it
 * is whole.
 */
export async function jsonFilesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => name.endsWith('.json'));
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Writes a JSON file whole or not at all, durably, readable by its owner only. */
export async function writeJsonFile(file: string, value: unknown): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
}
