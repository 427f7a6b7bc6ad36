/** Builds netlink messages byte by byte, as a kernel would send them: for captured hosts in tests. */

export type AttributeValue =
  | { readonly u8: number }
  | { readonly u16: number }
  | { readonly u32: number }
  | { readonly u64: bigint }
  | { readonly text: string }
  | { readonly bytes: Uint8Array };

export type Attributes = readonly (readonly [number, AttributeValue])[];

const doneType = 3;
const multi = 2;

function valueBytes(value: AttributeValue): Buffer {
  if ('u8' in value) return Buffer.from([value.u8]);
  if ('text' in value) return Buffer.from(`${value.text}\0`);
  if ('bytes' in value) return Buffer.from(value.bytes);
  if ('u16' in value) {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16LE(value.u16);
    return bytes;
  }
  if ('u32' in value) {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value.u32);
    return bytes;
  }
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value.u64);
  return bytes;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

export function attributes(list: Attributes): Buffer {
  return Buffer.concat(
    list.map(([type, value]) => {
      const payload = valueBytes(value);
      const bytes = Buffer.alloc(aligned(4 + payload.length));
      bytes.writeUInt16LE(4 + payload.length, 0);
      bytes.writeUInt16LE(type, 2);
      payload.copy(bytes, 4);
      return bytes;
    }),
  );
}

export function message(type: number, flags: number, payload: Buffer): Buffer {
  const bytes = Buffer.alloc(aligned(16 + payload.length));
  bytes.writeUInt32LE(16 + payload.length, 0);
  bytes.writeUInt16LE(type, 4);
  bytes.writeUInt16LE(flags, 6);
  payload.copy(bytes, 16);
  return bytes;
}

/** One generic netlink message of a family. */
export function genericMessage(
  family: number,
  command: number,
  list: Attributes,
  flags = 0,
): Buffer {
  return message(family, flags, Buffer.concat([Buffer.from([command, 1, 0, 0]), attributes(list)]));
}

/** A whole dump: its messages and their end. */
export function dump(messages: readonly ((flags: number) => Buffer)[]): Buffer {
  return Buffer.concat([
    ...messages.map((make) => make(multi)),
    message(doneType, multi, Buffer.alloc(4)),
  ]);
}
