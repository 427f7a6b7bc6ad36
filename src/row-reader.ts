import { type Pausing, thingsPerPause } from './turns.js';

/** How rows come from C++: made by RowPacker (native/addon/row_packer.h), which says what a cell is. */
export type PackedRows = readonly [texts: readonly string[], cells: Float64Array];

/** The cell of a text or word that the row before had in the same column. */
const same = -1;

/**
 * Reads packed rows value by value, in the order in which they were packed. What our own C++ packed
 * is not checked again: a read past the end would be a mistake in src/rows.ts, which its test shows.
 */
export class RowReader {
  readonly #texts: readonly string[];
  readonly #cells: Float64Array;
  /** Of the row before, by column. */
  readonly #before: (string | bigint)[] = [];
  #cell = 0;
  #column = 0;
  #text = '';
  #textIndex = 0;
  #at = 0;

  constructor([texts, cells]: PackedRows) {
    this.#texts = texts;
    this.#cells = cells;
    this.#text = texts[0] ?? '';
  }

  /** As many rows as were packed in the list, pausing now and then. */
  *list<T>(read: (reader: this) => T): Pausing<T[]> {
    const count = this.#next();
    const rows: T[] = [];
    for (let row = 1; row <= count; row++) {
      rows.push(this.row(read));
      if (row % thingsPerPause === 0) yield;
    }
    return rows;
  }

  row<T>(read: (reader: this) => T): T {
    this.#column = 0;
    // A text ends only between two rows.
    if (this.#at === this.#text.length && this.#textIndex + 1 < this.#texts.length) {
      this.#text = this.#texts[++this.#textIndex] ?? '';
      this.#at = 0;
    }
    return read(this);
  }

  flag(): boolean {
    return this.#next() === 1;
  }

  number(): number {
    this.#column++;
    return this.#next();
  }

  numberOrNull(): number | null {
    const cell = this.number();
    return Number.isNaN(cell) ? null : cell;
  }

  text(): string {
    return this.#textOf(this.#next());
  }

  textOrNull(): string | null {
    const cell = this.#next();
    if (!Number.isNaN(cell)) return this.#textOf(cell);
    this.#column++;
    return null;
  }

  /** A 64-bit word. */
  word(): bigint {
    return this.#wordOf(this.#next());
  }

  wordOrNull(): bigint | null {
    const cell = this.#next();
    if (!Number.isNaN(cell)) return this.#wordOf(cell);
    this.#column++;
    return null;
  }

  #next(): number {
    return this.#cells[this.#cell++] as number;
  }

  #textOf(length: number): string {
    const column = this.#column++;
    if (length === same) return this.#before[column] as string;
    const end = this.#at + length;
    const text = this.#text.slice(this.#at, end);
    this.#at = end;
    this.#before[column] = text;
    return text;
  }

  #wordOf(high: number): bigint {
    const column = this.#column++;
    if (high === same) return this.#before[column] as bigint;
    const word = (BigInt(high) << 32n) | BigInt(this.#next());
    this.#before[column] = word;
    return word;
  }
}
