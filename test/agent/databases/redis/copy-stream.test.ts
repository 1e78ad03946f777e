import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CopyStream } from '../../../../src/agent/databases/redis/copy-stream.js';

const mark = '0123456789abcdef0123456789abcdef01234567';
const greeting = '+PONG\r\n+OK\r\n+OK\r\n';
const copied = `+FULLRESYNC ${mark} 0\r\n\n\n$EOF:${mark}\r\n`;
const pieceOf = (text: string) => Buffer.from(text, 'latin1');

/** Each byte, and whether it came in a piece that is of the copy. */
function judged(text: string, cuts: readonly number[]): boolean[] {
  const stream = new CopyStream();
  const ends = [...new Set([...cuts.map((cut) => cut % text.length), text.length])].sort(
    (a, b) => a - b,
  );
  let from = 0;
  return ends.flatMap((end) => {
    const piece = pieceOf(text.slice(from, end));
    from = end;
    return Array<boolean>(piece.length).fill(stream.isCopy(piece));
  });
}

describe('what a primary sends to a follower', () => {
  it('is of the copy from the mark that begins it to the one that ends it, however it is cut', () => {
    const data = 'x'.repeat(500);
    const before = greeting + copied;
    const history = 'PING'.repeat(100);
    const text = `${before}${data}${mark}${history}`;
    const cuts = fc.array(fc.nat({ max: text.length }), { maxLength: 40 });
    fc.assert(
      fc.property(cuts, (others) => {
        // Two cuts are where the copy begins and ends.
        const begin = before.length;
        const end = begin + data.length + mark.length;
        const seen = judged(text, [...others, begin, end]);
        expect(seen.slice(begin, end)).toEqual(Array(end - begin).fill(true));
        expect(seen.slice(end)).toEqual(Array(text.length - end).fill(false));
      }),
    );
  });

  it('has no copy when it goes on from where it was', () => {
    const stream = new CopyStream();
    const words = `${greeting}+CONTINUE ${mark}\r\n$EOF:${mark}\r\n`;
    for (const letter of words) expect(stream.isCopy(pieceOf(letter))).toBe(false);
  });
});
