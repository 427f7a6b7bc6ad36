const newline = 0x0a;
const smallest = 4096;

/** Cuts a stream of bytes into lines, which end with a newline each. */
export class LineSplitter {
  readonly #mostBytes: number;
  #chunks: Buffer[] = [];
  /** A line that has begun in earlier chunks. */
  #begun = Buffer.allocUnsafe(smallest);
  #begunBytes = 0;

  /** @param mostBytes of a line */
  constructor(mostBytes: number) {
    this.#mostBytes = mostBytes;
  }

  /** Whether there are bytes that no newline has followed; of use when `next` has none. */
  get unfinished(): boolean {
    return this.#begunBytes > 0;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
  }

  /**
   * The next whole line without its newline, good until the next call; null when there is none yet.
   *
   * @throws {RangeError} when a line is too long, whether or not it has ended
   */
  next(): Buffer | null {
    for (let chunk = this.#chunks[0]; chunk !== undefined; chunk = this.#chunks[0]) {
      const end = chunk.indexOf(newline);
      const part = end < 0 ? chunk : chunk.subarray(0, end);
      if (this.#begunBytes + part.length > this.#mostBytes) {
        throw new RangeError(`a line is longer than ${this.#mostBytes} bytes`);
      }
      if (end < 0) {
        this.#chunks.shift();
        this.#hold(part);
        continue;
      }
      this.#chunks[0] = chunk.subarray(end + 1);
      if (this.#begunBytes === 0) return part;
      this.#hold(part);
      return this.#release();
    }
    return null;
  }

  #hold(part: Buffer): void {
    const bytes = this.#begunBytes + part.length;
    if (bytes > this.#begun.length) {
      const larger = Buffer.allocUnsafe(Math.max(bytes, 2 * this.#begun.length));
      this.#begun.copy(larger, 0, 0, this.#begunBytes);
      this.#begun = larger;
    }
    part.copy(this.#begun, this.#begunBytes);
    this.#begunBytes = bytes;
  }

  #release(): Buffer {
    const line = this.#begun.subarray(0, this.#begunBytes);
    // The line is still read from it: the next one begins in another.
    this.#begun = Buffer.allocUnsafe(smallest);
    this.#begunBytes = 0;
    return line;
  }
}
