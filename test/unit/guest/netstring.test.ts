import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MessageSplitter, netstringOf } from '../../../src/guest/netstring.js';

const message = fc.array(fc.string({ unit: 'binary' }));
const mostBytes = 1 << 20;

/** The bytes in pieces, as a pipe may bring them. */
function inPieces(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let left = bytes;
  for (let index = 0; left.length > 0; index++) {
    const size = sizes[index % sizes.length] ?? 1;
    pieces.push(left.subarray(0, size));
    left = left.subarray(size);
  }
  return pieces;
}

describe('messages', () => {
  test('are netstrings of netstrings', () => {
    expect(netstringOf(['1', 'show', 'é']).toString()).toBe('16:1:1,4:show,2:é,,');
    expect(netstringOf([]).toString()).toBe('0:,');
  });

  test('come out as they went in, in whatever pieces', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(message), sizes, (messages, each) => {
        const splitter = new MessageSplitter(mostBytes);
        const bytes = Buffer.concat(messages.map(netstringOf));
        const got = inPieces(bytes, each).flatMap((piece) => splitter.push(piece));
        expect(got).toEqual(messages);
      }),
    );
  });

  test('are told as soon as they are whole', () => {
    const splitter = new MessageSplitter(mostBytes);
    const bytes = netstringOf(['a', 'b'.repeat(1000)]);
    expect(splitter.push(bytes.subarray(0, -1))).toEqual([]);
    expect(splitter.push(bytes.subarray(-1))).toEqual([['a', 'b'.repeat(1000)]]);
  });

  test.each([
    ':,',
    'x',
    '-1:,',
    '01:a,',
    '1:a;',
    ' 1:a,',
    '12345678901',
    `${mostBytes + 1}:`,
    '1:a,',
    '3:9:a,',
    '4:1:a;,',
    '5:1:a, ,',
  ])('are refused when they are none: %s', (text) => {
    expect(() => new MessageSplitter(mostBytes).push(Buffer.from(text))).toThrow(SyntaxError);
  });

  test('of any bytes are read, waited for or refused', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        try {
          new MessageSplitter(64).push(Buffer.from(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
    );
  });
});
