/**
 * Fields as one message to or from a helper process: a netstring of netstrings. A netstring is its
 * length in bytes, in decimal digits, a colon, the bytes and a comma (native/core/netstring.h).
 */
export function netstringOf(fields: readonly string[]): Buffer {
  return netstring(Buffer.concat(fields.map((field) => netstring(Buffer.from(field)))));
}

function netstring(value: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${value.length}:`), value, Buffer.from(',')]);
}

const digits = /^(?:0|[1-9]\d{0,9})$/;
/** The longest length and its colon. */
const longestHead = 11;

interface Found {
  readonly value: Buffer;
  readonly size: number;
}

/** Takes messages out of what a pipe brings, in whatever pieces. */
export class MessageSplitter {
  readonly #mostBytes: number;
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** As many must be there before it is worth looking again. */
  #needed = 1;

  /** @param mostBytes of one message */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /**
   * The messages that are whole with this piece, each as its fields.
   *
   * @throws {SyntaxError} when what came is none
   */
  push(piece: Buffer): string[][] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    if (this.#bytes < this.#needed) return [];
    let left = this.#pieces.length === 1 ? piece : Buffer.concat(this.#pieces);
    const messages: string[][] = [];
    for (;;) {
      const found = firstOf(left, this.#mostBytes);
      if (typeof found === 'number') {
        this.#needed = found;
        break;
      }
      messages.push(fieldsOf(found.value));
      left = left.subarray(found.size);
    }
    this.#pieces = left.length === 0 ? [] : [left];
    this.#bytes = left.length;
    return messages;
  }
}

/** The netstring that the bytes begin with, or how many bytes there must be at least. */
function firstOf(bytes: Buffer, mostBytes: number): Found | number {
  const head = bytes.subarray(0, longestHead).toString('latin1');
  const colon = head.indexOf(':');
  const length = colon < 0 ? head : head.slice(0, colon);
  if (colon < 0 && length === '') return 1;
  if (!digits.test(length)) throw new SyntaxError('a netstring has no length');
  if (colon < 0) return bytes.length + 1;
  const end = colon + 1 + Number(length);
  if (Number(length) > mostBytes) throw new SyntaxError('a netstring is longer than can be');
  if (bytes.length <= end) return end + 1;
  if (bytes[end] !== 0x2c) throw new SyntaxError('a netstring has no comma at its end');
  return { value: bytes.subarray(colon + 1, end), size: end + 1 };
}

function fieldsOf(message: Buffer): string[] {
  const fields: string[] = [];
  for (let left = message; left.length > 0; ) {
    const found = firstOf(left, left.length);
    if (typeof found === 'number') throw new SyntaxError('a field is cut short');
    fields.push(found.value.toString());
    left = left.subarray(found.size);
  }
  return fields;
}
