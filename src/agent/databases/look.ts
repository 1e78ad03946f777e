import type { Bound, Look, SeenRange } from '../../region/model.js';
import { type Hashed, hashOf, sumOf } from './hash.js';
import { bytesOf, legible, legibly } from './legible.js';

/** What has names, in no order that two servers share. Names are as long as they have bytes (`latin1`). */
export interface Holding {
  /** Whether they are few: a range that may end anywhere then ends with the last of them, so that each can be named. */
  readonly areFew?: boolean;
  /** All names, some of them perhaps more than once. */
  names(): AsyncIterable<readonly string[]>;
  /** What a name stands for; null when it is gone by now. */
  read(name: string): Promise<Hashed | null>;
}

/** Values that are asked for together. */
const together = 64;

/** Looks at ranges of names in the order of their bytes, going through all names once. */
export async function lookAt(holding: Holding, looks: readonly Look[]): Promise<SeenRange[]> {
  const gathered = looks.map((look) => new Gathered(look, holding.areFew ?? false));
  for await (const names of holding.names()) {
    for (const name of names) for (const one of gathered) one.take(name);
  }
  const ranges: SeenRange[] = [];
  for (const one of gathered) {
    const { names, to } = one.result();
    ranges.push({ to, ...(await digestOf(holding, names)) });
  }
  return ranges;
}

async function digestOf(
  holding: Holding,
  names: readonly string[],
): Promise<Omit<SeenRange, 'to'>> {
  const seen = { rows: 0, bytes: 0, hash: 0n };
  for (let at = 0; at < names.length; at += together) {
    const some = names.slice(at, at + together);
    const values = await Promise.all(some.map((name) => holding.read(name)));
    for (const [index, value] of values.entries()) {
      if (value === null) continue;
      const name = some[index] ?? '';
      seen.rows += 1;
      seen.bytes += name.length + value.bytes;
      seen.hash = sumOf(seen.hash, hashOf([Buffer.from(name, 'latin1'), `${value.hash}`]));
    }
  }
  return { rows: seen.rows, bytes: seen.bytes, digest: seen.hash.toString(16) };
}

/** The names of one range, or the first so many of them. */
class Gathered {
  readonly #after: string | null;
  readonly #most: number | null;
  readonly #areFew: boolean;
  readonly #names = new Set<string>();
  #to: string | null;

  constructor({ after, to, most }: Look, areFew: boolean) {
    this.#after = readBound(after);
    this.#to = readBound(to);
    this.#most = most;
    this.#areFew = areFew;
  }

  take(name: string): void {
    if (this.#after !== null && name <= this.#after) return;
    if (this.#to !== null && name > this.#to) return;
    this.#names.add(name);
    if (this.#most !== null && this.#names.size >= 2 * this.#most) this.#forgetBeyond(this.#most);
  }

  result(): { readonly names: readonly string[]; readonly to: Bound | null } {
    if (this.#most !== null && (this.#areFew || this.#names.size >= this.#most)) {
      this.#forgetBeyond(this.#most);
    }
    return { names: [...this.#names], to: writeBound(this.#to) };
  }

  #forgetBeyond(most: number): void {
    const kept = [...this.#names].sort().slice(0, most);
    this.#names.clear();
    for (const name of kept) this.#names.add(name);
    this.#to = kept.at(-1) ?? this.#to;
  }
}

function readBound(bound: Bound | null): string | null {
  if (bound === null) return null;
  return bytesOf(legible.parse(JSON.parse(bound))).toString('latin1');
}

function writeBound(name: string | null): Bound | null {
  return name === null ? null : JSON.stringify(legibly(Buffer.from(name, 'latin1')));
}
