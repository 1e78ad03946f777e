import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CopyDataTap } from '../../src/postgresql/copy-data.js';

const message = fc.record({
  type: fc.constantFrom('d', 'd', 'T', 'D', 'C', 'Z'),
  content: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});
type Message = typeof message extends fc.Arbitrary<infer T> ? T : never;

function encode({ type, content }: Message): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}

it('parts what is copied from everything else, wherever the pieces end', () => {
  fc.assert(
    fc.property(fc.array(message), fc.array(fc.nat(12), { minLength: 1 }), (messages, sizes) => {
      const copied: Buffer[] = [];
      const others: Buffer[] = [];
      const tap = new CopyDataTap({
        content: (piece, isFirst) => {
          if (isFirst) copied.push(Buffer.from(piece));
          else copied.push(Buffer.concat([copied.pop() ?? Buffer.alloc(0), piece]));
        },
        others: (bytes) => void others.push(Buffer.from(bytes)),
      });
      const sent = Buffer.concat(messages.map(encode));
      for (let at = 0, turn = 0; at < sent.length; turn += 1) {
        const size = (sizes[turn % sizes.length] ?? 0) + 1;
        tap.take(sent.subarray(at, at + size));
        at += size;
      }
      const data = messages.filter(({ type }) => type === 'd');
      expect(copied).toEqual(data.map((one) => one.content).filter(({ length }) => length > 0));
      const rest = messages.filter(({ type }) => type !== 'd');
      expect(Buffer.concat(others)).toEqual(Buffer.concat(rest.map(encode)));
    }),
  );
});
