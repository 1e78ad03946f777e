import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entriesOf } from '../../../src/agent/databases/postgresql/logical/entries.js';
import {
  rolesToMake,
  splitCreation,
} from '../../../src/agent/databases/postgresql/logical/scripts.js';

const creation = "CREATE DATABASE birds WITH TEMPLATE = template0 ENCODING = 'UTF8';";

/** What an app may have put into its database, as `pg_dump` writes it: quoted, in one way or another. */
const quoted = fc.string().map((inside) => {
  const text = `${inside}\n${creation}\n\\connect x\n--\n-- Name: a; Type: INDEX; Schema: b; Owner: c\n--\n`;
  const doubled = (quote: string, some: string) =>
    quote + some.replaceAll(quote, quote.repeat(2)) + quote;
  return [
    doubled("'", text),
    doubled('"', text),
    ` E${doubled("'", text.replaceAll('\\', '\\\\'))}`,
    `$_$${text.replaceAll('$', '')}$_$`,
    `-- ${text.replaceAll('\n', ' ')}\n`,
  ].join(' ');
});

describe('what pg_dump writes', () => {
  it.each([
    '\\connect birds',
    '\\encoding SQL_ASCII\n\\connect -reuse-previous=on "dbname=\'a b\'"',
  ])('is parted into the making of the database and what goes into it, after %s', (connect) => {
    // Whatever is between is kept, to the letter.
    fc.assert(
      fc.property(quoted, quoted, quoted, fc.boolean(), (head, middle, tail, again) => {
        const parts = [head, creation, middle, connect, tail];
        const script = [...parts, ...(again ? [connect, tail] : [])].join('\n');
        const rest = [head, '', middle, '', tail, ...(again ? ['', tail] : [])].join('\n');
        expect(splitCreation(script)).toEqual({ creation, rest });
      }),
    );
  });

  it('is left as it is where no database is made', () => {
    expect(splitCreation('CREATE TABLE a ();')).toEqual({
      creation: null,
      rest: 'CREATE TABLE a ();',
    });
  });

  it('is parted into what it makes, with nothing lost', () => {
    const types = ['INDEX', 'CONSTRAINT', 'FK CONSTRAINT', 'TRIGGER', 'COMMENT', 'INDEX ATTACH'];
    const made = fc.record({ type: fc.constantFrom(...types), inside: quoted });
    fc.assert(
      fc.property(fc.array(made), (all) => {
        const entries = all.map(({ type, inside }) => ({
          ...{ type, name: "it's" },
          sql: `--\n-- Name: it's; Type: ${type}; Schema: public; Owner: app\n--\n\n${inside}\n`,
        }));
        const preamble = 'SET search_path = public;\n\n';
        const script = preamble + entries.map(({ sql }) => sql).join('');
        expect(entriesOf(script)).toEqual({ preamble, entries });
      }),
    );
  });

  it('makes all roles but the superuser', () => {
    const script = `CREATE ROLE app;
CREATE ROLE godwit;
ALTER ROLE godwit WITH SUPERUSER;
CREATE ROLE godwit_follow_1;
COMMENT ON ROLE app IS '
GRANT a TO b GRANTED BY c;';
GRANT app TO "x GRANTED BY y" WITH ADMIN OPTION GRANTED BY "o 'd";
`;
    const made = script.replace('CREATE ROLE godwit;', '').replace(/ALTER.*/, '');
    expect(rolesToMake(script, '16')).toBe(made);
    expect(rolesToMake(script, '15')).toBe(made.replace(` GRANTED BY "o 'd"`, ''));
  });
});
