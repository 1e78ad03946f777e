/** What is made once the rows are there. */
export interface PostData {
  /** What every session needs to be told first. */
  readonly preamble: string;
  /** Indexes, and the constraints that stand on one: each needs nothing but its table. */
  readonly indexes: string[];
  /** Everything else, in its order. */
  readonly rest: string;
}

/** `pg_dump` puts this above everything that it makes; names in it have no line breaks. */
const heading = /^--\n-- Name: .*; Type: (.*); Schema: .*; Owner: .*\n--$/gm;

/** Takes apart what `pg_dump --section=post-data` wrote. */
export function parsePostData(script: string): PostData {
  const found = [...script.matchAll(heading)];
  const indexes: string[] = [];
  let rest = '';
  for (const [at, match] of found.entries()) {
    const sql = script.slice(match.index, found[at + 1]?.index);
    if (match[1] === 'INDEX' || match[1] === 'CONSTRAINT') indexes.push(sql);
    else rest += sql;
  }
  return { preamble: script.slice(0, found[0]?.index), indexes, rest };
}
