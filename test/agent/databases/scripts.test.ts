import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePostData } from '../../../src/agent/databases/postgresql/logical/post-data.js';
import {
  splitCreation,
  withoutSuperuser,
} from '../../../src/agent/databases/postgresql/logical/scripts.js';

const creation = "CREATE DATABASE birds WITH TEMPLATE = template0 ENCODING = 'UTF8';";

describe('what pg_dump writes', () => {
  it.each([
    '\\connect birds',
    '\\encoding SQL_ASCII\n\\connect -reuse-previous=on "dbname=\'a b\'"',
  ])('is parted into the making of the database and what goes into it, after %s', (connect) => {
    // Whatever is between is kept, to the letter.
    const text = fc.string().filter((some) => !/^(CREATE DATABASE|\\)/m.test(some));
    fc.assert(
      fc.property(text, text, text, fc.boolean(), (head, middle, tail, again) => {
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

  it('is parted into indexes and the rest, with nothing lost', () => {
    const types = ['INDEX', 'CONSTRAINT', 'FK CONSTRAINT', 'TRIGGER', 'COMMENT', 'INDEX ATTACH'];
    const entry = fc.record({
      type: fc.constantFrom(...types),
      sql: fc.string().filter((some) => !some.includes('-- Name')),
    });
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const texts = entries.map(({ type, sql }) => {
          const heading = `--\n-- Name: a; Type: ${type}; Schema: public; Owner: app\n--\n`;
          return {
            isIndex: type === 'INDEX' || type === 'CONSTRAINT',
            text: `${heading}\n${sql}\n`,
          };
        });
        const preamble = 'SET search_path = public;\n\n';
        const script = preamble + texts.map(({ text }) => text).join('');
        expect(parsePostData(script)).toEqual({
          preamble,
          indexes: texts.flatMap(({ isIndex, text }) => (isIndex ? [text] : [])),
          rest: texts.map(({ isIndex, text }) => (isIndex ? '' : text)).join(''),
        });
      }),
    );
  });

  it('makes all roles but the superuser', () => {
    const script =
      'CREATE ROLE app;\nCREATE ROLE godwit;\nALTER ROLE godwit WITH SUPERUSER;\nCREATE ROLE godwit_follow_1;\nGRANT app TO godwit_follow_1;\n';
    expect(withoutSuperuser(script)).toBe(
      'CREATE ROLE app;\n\n\nCREATE ROLE godwit_follow_1;\nGRANT app TO godwit_follow_1;\n',
    );
  });
});
