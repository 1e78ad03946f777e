/** One thing that `pg_dump` makes. */
export interface Entry {
  /** Such as `TABLE`, and what it is called. */
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/** A script of `pg_dump`, taken apart. */
export interface Entries {
  /** What every session needs to be told first. */
  readonly preamble: string;
  /** In their order. */
  readonly entries: readonly Entry[];
}

/** What `pg_dump` puts above everything that it makes; names in it have no line breaks. */
const heading = /^--\n-- Name: (?<name>.*); Type: (?<type>.*); Schema: .*; Owner: .*\n--$/;

/**
 * Literals, quoted names, bodies of functions and comments. What is in them is the app's own, and
 * may look like anything; a superuser runs what is around them.
 */
const opaque =
  /(?<opaque>\b[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'[^']*'|"[^"]*"|(?<tag>\$(?:[A-Za-z_]\w*)?\$)[\s\S]*?\k<tag>|--.*$)/;

/** Where a script itself, rather than what the app has put into it, says what is wanted. */
export function findInScript(script: string, wanted: RegExp): RegExpExecArray[] {
  const either = new RegExp(`${wanted.source}|${opaque.source}`, 'gm');
  return [...script.matchAll(either)].filter(({ groups }) => groups?.['opaque'] === undefined);
}

/** Takes apart what `pg_dump` wrote. What has no headings is a preamble. */
export function entriesOf(script: string): Entries {
  const found = findInScript(script, heading);
  return {
    preamble: script.slice(0, found[0]?.index),
    entries: found.map(({ groups, index }, at) => ({
      type: groups?.['type'] ?? '',
      name: groups?.['name'] ?? '',
      sql: script.slice(index, found[at + 1]?.index),
    })),
  };
}
