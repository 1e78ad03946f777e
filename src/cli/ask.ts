import { createInterface } from 'node:readline/promises';
import { UsageError } from './session.js';

/** Makes sure that somebody is there to answer, before anything is done. @throws UsageError */
export function needAnswers(): void {
  if (!process.stdin.isTTY) throw new UsageError('Nobody is there to ask. Say --yes.');
}

/** Asks a question that is answered with yes or no. @throws UsageError when nobody is there to answer */
export async function ask(question: string): Promise<boolean> {
  needAnswers();
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
