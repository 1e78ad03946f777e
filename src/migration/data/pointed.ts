/** The same variable of an addon and of the one that takes its place: their addresses. */
export interface Replacement {
  readonly old: string;
  readonly new: string;
}

/** What {@link pointed} looks at. */
export interface OwnVariable {
  readonly name: string;
  readonly value: string;
}

/** What {@link pointed} found. */
export interface Pointed {
  /** The values that change. */
  readonly set: Record<string, string>;
  /** Every variable that names an addon, whether that changes it or not. */
  readonly named: string[];
}

/** Shorter passwords may be in a value by chance. */
const shortestPassword = 8;

/**
 * Finds the owner's variables that name an addon of the source, and what they must be to name the
 * one that takes its place. A value names an addon by its URL, its host and port, together or
 * apart, or its password. Two variables do so together, as `DB_HOST` and `DB_PORT`.
 * @param provided names of the variables that the addons provide; a value can stand for one of them
 */
export function pointed(
  own: readonly OwnVariable[],
  replacements: readonly Replacement[],
  provided: ReadonlySet<string> = new Set(),
): Pointed {
  const places = replacements.flatMap(placeOf);
  const texts = places.flatMap(wholeTexts).sort(([a], [b]) => b.length - a.length);
  const set: Record<string, string> = {};
  const named: string[] = [];
  for (const variable of own) {
    const parts = places.filter((place) => namesInParts(variable, own, place)).flatMap(partTexts);
    const now = replaceAll(variable.value, [...texts, ...parts]);
    if (now !== variable.value) set[variable.name] = now;
    const alias = /^\$\{?(\w+)\}?$/.exec(variable.value)?.[1];
    const isNamed =
      parts.length > 0 ||
      texts.some(([old]) => holds(variable.value, old)) ||
      (alias !== undefined && provided.has(alias));
    if (isNamed) named.push(variable.name);
  }
  return { set, named };
}

interface Place {
  readonly old: URL;
  readonly new: URL;
  readonly texts: Text;
}
type Text = readonly [old: string, now: string];

function placeOf({ old, new: now }: Replacement): Place[] {
  if (!URL.canParse(old) || !URL.canParse(now)) return [];
  return [{ old: new URL(old), new: new URL(now), texts: [old, now] }];
}

/** What names an addon wherever it is. */
function wholeTexts(place: Place): Text[] {
  const { old, new: now, texts } = place;
  return [texts, [old.host, now.host], ...(hasPassword(place) ? [passwords(place)] : [])];
}

/** What names an addon in a value that names it anyhow. */
function partTexts({ old, new: now }: Place): Text[] {
  return [
    [old.hostname, now.hostname],
    [old.port, now.port],
  ];
}

const passwords = ({ old, new: now }: Place): Text => [old.password, now.password];
const hasPassword = ({ old }: Place) => old.password.length >= shortestPassword;

/** Whether host and port may be told apart: in the value itself, or in another variable's. */
function namesInParts({ name, value }: OwnVariable, own: readonly OwnVariable[], place: Place) {
  const { hostname, port, password } = place.old;
  if (port === '') return false;
  if (hasPassword(place) && holds(value, password)) return true;
  if (holds(value, hostname) && holds(value, port)) return true;
  const [, stem, what] = /^(.*?)(PORT|HOST|HOSTNAME|SERVER|ADDRESS|ADDR)$/i.exec(name) ?? [];
  if (stem === undefined || value !== (/port/i.test(what ?? '') ? port : hostname)) return false;
  const other = value === port ? hostname : port;
  const sibling = new RegExp(
    `^${stem}(${value === port ? 'HOST|HOSTNAME|SERVER|ADDRESS|ADDR' : 'PORT'})$`,
    'i',
  );
  return own.some((one) => sibling.test(one.name) && one.value === other);
}

/** All at once, so that nothing that was put in is replaced again. */
function replaceAll(value: string, texts: readonly Text[]): string {
  let result = '';
  let at = 0;
  while (at < value.length) {
    const found = texts.find(([old]) => isAt(value, at, old));
    result += found ? found[1] : value[at];
    at += found ? found[0].length : 1;
  }
  return result;
}

function holds(value: string, text: string): boolean {
  for (let at = value.indexOf(text); at !== -1; at = value.indexOf(text, at + 1)) {
    if (isAt(value, at, text)) return true;
  }
  return false;
}

/** `db:5432` is not in `mydb:54321`. */
function isAt(value: string, at: number, text: string): boolean {
  if (!value.startsWith(text, at)) return false;
  const before = value[at - 1] ?? '';
  const after = value[at + text.length] ?? '';
  return !/[\w.-]/.test(before) && !/\w/.test(after);
}
