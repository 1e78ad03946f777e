import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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

  it('makes all roles but the superuser', () => {
    const script =
      'CREATE ROLE app;\nCREATE ROLE godwit;\nALTER ROLE godwit WITH SUPERUSER;\nCREATE ROLE godwit_follow_1;\nGRANT app TO godwit_follow_1;\n';
    expect(withoutSuperuser(script)).toBe(
      'CREATE ROLE app;\n\n\nCREATE ROLE godwit_follow_1;\nGRANT app TO godwit_follow_1;\n',
    );
  });
});
