/** What can be done to the application while clients write: one migration after the other. */
const acts = ['migrate', 'abort', 'rollback'] as const;
/** `migrate`: there, with all phases. `abort`: begun, and aborted in the middle of its switch. `rollback`: of the last one. */
export type Act = (typeof acts)[number];

export const usualPlan: readonly Act[] = [
  'migrate',
  'rollback',
  'abort',
  'migrate',
  'rollback',
  'migrate',
];

/**
 * Reads acts with commas between them.
 * @throws when one is unknown, or cannot follow on what comes before it
 */
export function readPlan(text: string): Act[] {
  let isThere = false;
  return text.split(',').map((word) => {
    const act = acts.find((known) => known === word.trim());
    if (!act) throw new Error(`"${word}" is none of ${acts.join(', ')}.`);
    if ((act === 'rollback') !== isThere) {
      throw new Error(
        isThere
          ? `After a migrate comes a rollback, not ${act}.`
          : 'There is nothing to roll back before a migrate.',
      );
    }
    if (act !== 'abort') isThere = act === 'migrate';
    return act;
  });
}
