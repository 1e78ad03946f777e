import type { Variable } from '../../region/model.js';

/** The variables of an addon, and of the one that takes its place. */
export interface Replacement {
  readonly old: readonly Variable[];
  readonly new: readonly Variable[];
}

/** Shorter passwords may be in a value by chance. */
const shortestPassword = 8;

/**
 * The owner's variables whose values name an addon of the source (by its URL, its host and port,
 * or its password), with values that name the addon that takes its place. A variable that holds
 * the port alone counts when another of the same name holds the host (`DB_PORT`, `DB_HOST`).
 */
export function pointed(
  own: readonly Variable[],
  replacements: readonly Replacement[],
): Record<string, string> {
  const places = replacements.flatMap(placesOf);
  const texts = places.flatMap(textsOf).sort(([a], [b]) => b.length - a.length);
  const changed = own.flatMap(({ name, value }) => {
    const now = portOf(name, value, own, places) ?? replaceAll(value, texts);
    return now === value ? [] : [[name, now] as const];
  });
  return Object.fromEntries(changed);
}

/** Where an addon is: there and here, as URLs of the same variable. */
interface Place {
  readonly old: URL;
  readonly new: URL;
  readonly texts: readonly [old: string, now: string];
}

function placesOf(replacement: Replacement): Place[] {
  return replacement.old.flatMap(({ name, value }) => {
    const now = replacement.new.find((variable) => variable.name === name)?.value;
    if (now === undefined || !URL.canParse(value) || !URL.canParse(now)) return [];
    return [{ old: new URL(value), new: new URL(now), texts: [value, now] as const }];
  });
}

function textsOf(place: Place): (readonly [string, string])[] {
  const { old, new: now, texts } = place;
  const hasPassword = old.password.length >= shortestPassword;
  return [
    texts,
    [old.host, now.host],
    ...(hasPassword ? [[old.password, now.password] as const] : []),
  ];
}

/** All at once, so that nothing that was put in is replaced again. */
function replaceAll(value: string, texts: readonly (readonly [string, string])[]): string {
  let result = '';
  let at = 0;
  while (at < value.length) {
    const found = texts.find(([old]) => value.startsWith(old, at) && isWhole(value, at, old));
    result += found ? found[1] : value[at];
    at += found ? found[0].length : 1;
  }
  return result;
}

/** `db:5432` is not in `mydb:54321`. */
function isWhole(value: string, at: number, text: string): boolean {
  const before = value[at - 1] ?? '';
  const after = value[at + text.length] ?? '';
  return !/[\w.-]/.test(before) && !/\w/.test(after);
}

function portOf(
  name: string,
  value: string,
  own: readonly Variable[],
  places: readonly Place[],
): string | null {
  const place = places.find(({ old }) => old.port !== '' && old.port === value);
  if (!place || !/PORT$/i.test(name)) return null;
  const stem = name.replace(/PORT$/i, '');
  const hasHost = own.some(
    (other) => other.name.startsWith(`${stem}HOST`) && other.value === place.old.hostname,
  );
  return hasHost ? place.new.port : null;
}
