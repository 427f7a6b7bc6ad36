/** The first byte of a part tells what it is: a long one by all its bits, a short one by the upper. */
const readOnlyPart = 0x90;
const longPart = 0x80;
const endPart = 0x0f;

/**
 * The card's serial number in the vital product data of a PCI function (PCI Local Bus Specification
 * 3.0, appendix I: the `SN` of its read-only part). Null when it has none, or the data is cut short or
 * not of that form.
 */
export function serialNumberOf(data: Uint8Array): string | null {
  let at = 0;
  for (;;) {
    const tag = data[at];
    if (tag === undefined || tag >> 3 === endPart) return null;
    if ((tag & longPart) === 0) {
      at += 1 + (tag & 7);
      continue;
    }
    const start = at + 3;
    const end = start + wordAt(data, at + 1);
    if (end > data.length) return null;
    if (tag === readOnlyPart) return fieldOf(data.subarray(start, end), 'SN');
    at = end;
  }
}

/** Fields are two letters, a length of one byte, and the value. */
function fieldOf(part: Uint8Array, name: string): string | null {
  let at = 0;
  while (at + 3 <= part.length) {
    const start = at + 3;
    const end = start + (part[at + 2] ?? 0);
    if (end > part.length) return null;
    if (textOf(part.subarray(at, at + 2)) === name) return printable(part.subarray(start, end));
    at = end;
  }
  return null;
}

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');

const wordAt = (data: Uint8Array, at: number): number =>
  (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8);

/** Without what it is filled up with. */
function printable(bytes: Uint8Array): string | null {
  const text = textOf(bytes).replace(/[\0 ]+$/, '');
  return /^[\x20-\x7e]+$/.test(text) ? text : null;
}
