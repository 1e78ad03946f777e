import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCreateRequest } from '../../src/api/region-migrations/dialect.js';
import { Refusal } from '../../src/shared/errors.js';

describe('the two dialects of create', () => {
  it('takes what real clients send', () => {
    expect(readCreateRequest('{"migration": {"destination": "a", "dst_app_name": ""}}')).toEqual({
      destination: 'a',
      dstAppName: '',
      verify: 'content',
      upgrade: {},
      isDocumentedForm: false,
    });
  });

  it.each(['{"migration": {"osc-secnum-fr1"}}', ' {\n"migration" :{ "osc-secnum-fr1" } }\n'])(
    'takes what the documentation says',
    (text) => {
      expect(readCreateRequest(text)).toEqual({
        destination: 'osc-secnum-fr1',
        dstAppName: '',
        verify: 'content',
        upgrade: {},
        isDocumentedForm: true,
      });
    },
  );

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{"migration": "a"}',
    '{"migration": {"a", "b"}}',
    '{"migration": {"a"}, "x": 1}',
    '{"migration": {"destination": 1}}',
    '{"migrations": {"a"}}',
    '{"migration": {"destination": "a", "upgrade": {"postgresql": 18}}}',
  ])('refuses %s with the right form', (text) => {
    expect(() => readCreateRequest(text)).toThrow(/Send \{"migration"/);
  });

  it('never fails otherwise', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          readCreateRequest(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
        }
      }),
    );
  });
});
