import { createInterface } from 'node:readline/promises';
import { UsageError } from './session.js';

/** Asks a question that is answered with yes or no. @throws UsageError when nobody is there to answer */
export async function ask(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) throw new UsageError('Nobody is there to ask. Say --yes.');
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await lines.question(`${question} [y/N] `)).trim());
  } finally {
    lines.close();
  }
}
