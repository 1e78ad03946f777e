import { readFile } from 'node:fs/promises';
import { availableParallelism, loadavg } from 'node:os';
import { isMissing } from '../../shared/errors.js';

/** What is read of how a host and its apps do; counted since some moment in the past. */
export interface Sight {
  /** Milliseconds of a clock that is never set back. */
  readonly at: number;
  /** Requests that apps of the host have answered, and what that took in all, in milliseconds. */
  readonly answered: number;
  readonly took: number;
  /** For how many milliseconds something has waited for a processor, and for a disk. */
  readonly stalled: readonly number[];
}

/** Fewer requests tell nothing. */
const fewest = 10;
/** How long these are waited for, in milliseconds; then it is taken that nobody is there to suffer. */
const silence = 10_000;
/** The part of the time that something has to wait for the host, for that to be why requests take longer. */
const pressing = 0.1;
/** How much longer than usual a request takes when that counts. */
const slower = 1.25;
/** How long it is remembered what is usual, in milliseconds. */
const memory = 10 * 60_000;
const minute = 60_000;

interface Minute {
  readonly began: number;
  answered: number;
  took: number;
}

/**
 * Judges whether the apps of a host suffer from what else goes on there: requests take longer than they did in the
 * best of the last ten minutes (as LEDBAT judges a network, RFC 6817), and the host is under pressure. A copy that is the
 * only one to wait harms nobody, and an app can be slow for reasons of its own.
 */
export class Suffering {
  #before: Sight | null = null;
  #minutes: Minute[] = [];

  /** @returns null when it is too early to tell */
  judge(now: Sight): boolean | null {
    const before = this.#before;
    this.#before ??= now;
    if (!before) return null;
    const answered = now.answered - before.answered;
    if (answered < fewest && now.at - before.at < silence) return null;
    this.#before = now;
    if (answered < fewest) return false;
    const took = now.took - before.took;
    const usual = this.#usual(now.at, answered, took);
    const isPressed = now.stalled.some(
      (total, at) => total - (before.stalled[at] ?? total) >= pressing * (now.at - before.at),
    );
    return isPressed && took / answered > slower * usual;
  }

  /** Adds to what is remembered. @returns what a request takes in the best of these minutes, in milliseconds */
  #usual(now: number, answered: number, took: number): number {
    this.#minutes = this.#minutes.filter(({ began }) => now - began < memory);
    let last = this.#minutes.at(-1);
    if (!last || now - last.began >= minute) {
      last = { began: now, answered: 0, took: 0 };
      this.#minutes.push(last);
    }
    last.answered += answered;
    last.took += took;
    return Math.min(...this.#minutes.map((one) => one.took / one.answered));
  }
}

/**
 * How long something of this host has waited for a processor, and for a disk, in milliseconds since it began. Where the
 * kernel does not tell (proc(5), `/proc/pressure`), what its load comes to from one look to the next.
 */
export class HostPressure {
  #loaded = 0;
  #at = performance.now();

  async stalled(): Promise<number[]> {
    const [cpu, io] = await Promise.all(['cpu', 'io'].map(totalOf));
    if (cpu != null && io != null) return [cpu, io];
    const now = performance.now();
    const isBusy = (loadavg()[0] ?? 0) > availableParallelism();
    if (isBusy) this.#loaded += now - this.#at;
    this.#at = now;
    return [this.#loaded];
  }
}

/** A line such as `some avg10=0.00 avg60=0.00 avg300=0.00 total=20`, in microseconds. */
async function totalOf(resource: string): Promise<number | null> {
  const text = await readFile(`/proc/pressure/${resource}`, 'utf8').catch((error) => {
    if (isMissing(error) || isNotSupported(error)) return '';
    throw error;
  });
  const [, total] = /^some .*total=(\d+)/m.exec(text) ?? [];
  return total === undefined ? null : Number(total) / 1000;
}

/** A kernel that could tell, and was started without. */
function isNotSupported(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EOPNOTSUPP';
}
