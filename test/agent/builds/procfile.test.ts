import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseProcfile } from '../../../src/agent/builds/procfile.js';
import { Refusal } from '../../../src/shared/errors.js';

describe('a Procfile', () => {
  it('names process types and their commands', () => {
    const text = '# mine\nweb: node server.js --flag="a: b"\r\n\n  Clock_Tick:  ./tick  \n';
    expect(parseProcfile(text)).toEqual({
      web: 'node server.js --flag="a: b"',
      'clock-tick': './tick',
    });
  });

  it.each([
    ['', /names no process type/],
    ['# nothing\n\n', /names no process type/],
    ['web node server.js', /Line 1/],
    ['web: a\nworker:', /Line 2/],
    ['web: a\nWEB: b', /Line 2 names "web" a second time/],
    ['../web: a', /Line 1/],
  ])('is refused: %j', (text, why) => {
    expect(() => parseProcfile(text)).toThrow(why);
  });

  it('reads back what was written, and refuses the rest', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const command = fc.stringMatching(/^[!-~]([ -~]*[!-~])?$/);
    fc.assert(
      fc.property(fc.dictionary(name, command, { minKeys: 1 }), (commands) => {
        const lines = Object.entries(commands).map(([type, line]) => `${type}: ${line}`);
        expect(parseProcfile(lines.join('\n'))).toEqual(commands);
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseProcfile(text);
        } catch (error) {
          expect(error).toBeInstanceOf(Refusal);
        }
      }),
    );
  });
});
