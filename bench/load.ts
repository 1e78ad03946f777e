import { setTimeout as sleep } from 'node:timers/promises';

/** What a client was answered: when, on the clock of `performance`, and how long it had waited; in milliseconds. */
export interface Answer {
  readonly at: number;
  readonly took: number;
}

/** Asks once; the number tells which time it is. */
export type Ask = (turn: number) => Promise<unknown>;

/**
 * Asks so many times a second until `signal`, whether or not earlier questions have been answered. Times count
 * from when a request was due, so that a server that falls behind is not flattered.
 */
export async function steadily(rate: number, ask: Ask, signal: AbortSignal): Promise<Answer[]> {
  const begun = performance.now();
  const answers: Promise<Answer>[] = [];
  const send = async (turn: number, due: number): Promise<Answer> => {
    await ask(turn);
    const at = performance.now();
    return { at, took: at - due };
  };
  while (!signal.aborted) {
    const due = begun + (answers.length * 1_000) / rate;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    else answers.push(send(answers.length, due));
  }
  return Promise.all(answers);
}

/** Has so many clients ask until `signal`, each as soon as it has been answered. */
export async function restlessly(
  clients: number,
  ask: Ask,
  signal: AbortSignal,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let turn = 0;
  const client = async () => {
    while (!signal.aborted) {
      const asked = performance.now();
      await ask(turn++);
      const at = performance.now();
      answers.push({ at, took: at - asked });
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return answers;
}

/** Of how long the answers took, what so large a part of them did not exceed. */
export function percentile(answers: readonly Answer[], part: number): number {
  const sorted = answers.map(({ took }) => took).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}
