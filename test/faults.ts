/** Whether every fault is wanted (`GODWIT_FAULTS=all`), rather than some of them, others each time. */
const all = process.env['GODWIT_FAULTS'] === 'all';

/** Every how many-th of many points a fault comes at, and from which one on. */
export function faultPoints(usual: number): { first: number; stride: number } {
  const stride = all ? 1 : usual;
  return { first: Math.floor(Math.random() * stride), stride };
}

/** Some of these, or all. */
export function someOf<T>(items: readonly T[], count: number): T[] {
  const shuffled = items
    .map((item) => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
  return all ? [...items] : shuffled.slice(0, count);
}
