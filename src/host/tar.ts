// Tar archives in the pax form: ustar, with records for names that are too long for it. Names are
// bytes to the kernel, so they are "latin1" strings here, one character for each byte.

export interface TarEntry {
  readonly path: string;
  readonly kind: 'directory' | 'file' | 'link';
  /** A file's bytes, or where a link points. */
  readonly content: Buffer;
}

/** The archive does not have the form of one, or has what is neither file, folder nor link. */
export class TarError extends Error {}

const blockSize = 512;
const types = { file: '0', link: '2', directory: '5', records: 'x' } as const;

/** One entry as it stands in an archive. */
export function* tarEntry({ path, kind, content }: TarEntry, mtime: Date): Generator<Buffer> {
  const name = kind === 'directory' ? `${path}/` : path;
  const target = kind === 'link' ? content.toString('latin1') : '';
  const body = kind === 'file' ? content : Buffer.alloc(0);
  const records = [
    ...(name.length > nameField.size ? [record('path', name)] : []),
    ...(target.length > linkField.size ? [record('linkpath', target)] : []),
  ].join('');
  if (records !== '') {
    yield header({ name: 'pax', type: types.records, size: records.length, mtime });
    yield* padded(Buffer.from(records, 'latin1'));
  }
  yield header({ name, target, type: types[kind], size: body.length, mtime });
  yield* padded(body);
}

/** What every archive ends with. */
export const tarEnd = Buffer.alloc(2 * blockSize);

interface Field {
  readonly at: number;
  readonly size: number;
}
const nameField = { at: 0, size: 100 };
const modeField = { at: 100, size: 8 };
const uidField = { at: 108, size: 8 };
const gidField = { at: 116, size: 8 };
const sizeField = { at: 124, size: 12 };
const mtimeField = { at: 136, size: 12 };
const checksumField = { at: 148, size: 8 };
const typeField = { at: 156, size: 1 };
const linkField = { at: 157, size: 100 };
const magicField = { at: 257, size: 8 };
const prefixField = { at: 345, size: 155 };

function header(entry: {
  readonly name: string;
  readonly target?: string;
  readonly type: string;
  readonly size: number;
  readonly mtime: Date;
}): Buffer {
  const block = Buffer.alloc(blockSize);
  const text = ({ at, size }: Field, value: string): void => {
    block.write(value.slice(0, size), at, 'latin1');
  };
  const octal = (field: Field, value: number): void =>
    text(field, `${value.toString(8).padStart(field.size - 1, '0')}\0`);
  text(nameField, entry.name);
  octal(modeField, entry.type === types.directory ? 0o700 : 0o600);
  octal(uidField, 0);
  octal(gidField, 0);
  octal(sizeField, entry.size);
  octal(mtimeField, Math.floor(entry.mtime.getTime() / 1000));
  text(typeField, entry.type);
  text(linkField, entry.target ?? '');
  text(magicField, 'ustar\x0000');
  text(checksumField, `${checksumOf(block).toString(8).padStart(6, '0')}\0 `);
  return block;
}

function* padded(content: Buffer): Generator<Buffer> {
  if (content.length === 0) return;
  yield content;
  yield Buffer.alloc(paddingOf(content.length));
}

function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** A record begins with its own length, in which the digits of that length count. */
function record(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = rest.length + 1;
  while (`${length}`.length + rest.length !== length) length++;
  return `${length}${rest}`;
}

/** The sum of all bytes, those of the checksum itself as blanks. */
function checksumOf(block: Buffer): number {
  let sum = 0;
  for (const [index, byte] of block.entries()) {
    const own = index >= checksumField.at && index < checksumField.at + checksumField.size;
    sum += own ? 0x20 : byte;
  }
  return sum;
}

/**
 * The entries of an archive as tar programs write them: ustar, pax, GNU's long names. A file's whole
 * content is held in memory.
 *
 * @throws {TarError}
 */
export async function* readTar(
  pieces: AsyncIterable<Buffer>,
  mostFileBytes: number,
): AsyncGenerator<TarEntry> {
  const source = new ByteReader(pieces);
  /** What the entries before this one say of it. */
  let said = new Map<string, string>();
  for (;;) {
    const block = await source.take(blockSize);
    if (block.every((byte) => byte === 0)) {
      // To the end, where a compressed archive has its checksum.
      await source.skipAll();
      return;
    }
    if (octalOf(block, checksumField) !== checksumOf(block)) {
      throw new TarError('a header is damaged, or this is no tar archive');
    }
    const type = textOf(block, typeField);
    const size = octalOf(block, sizeField);
    const path = said.get('path') ?? pathOf(block);
    const isLong = type === 'L' || type === 'K';
    if (said.has('size') || said.has('GNU.sparse.map') || said.has('GNU.sparse.major')) {
      throw new TarError(`${nameOf(path)} is a sparse or huge file`);
    }
    if (size > mostFileBytes) {
      throw new TarError(`${nameOf(path)} has more than ${mostFileBytes} bytes`);
    }
    const content = await source.take(size);
    await source.take(paddingOf(size));
    if (type === types.records) {
      said = new Map([...said, ...recordsOf(content)]);
    } else if (isLong) {
      said.set(type === 'L' ? 'path' : 'linkpath', upToNul(content.toString('latin1')));
    } else if (type !== 'g') {
      // 'g': records for all entries, such as a comment; none of them names one.
      yield entryOf(type, path, said.get('linkpath') ?? textOf(block, linkField), content);
      said = new Map();
    }
  }
}

function entryOf(type: string, path: string, target: string, content: Buffer): TarEntry {
  switch (type) {
    case '':
    case types.file:
      // Before ustar a folder was a file whose name ends like this.
      return { path, kind: path.endsWith('/') ? 'directory' : 'file', content };
    case types.directory:
      return { path, kind: 'directory', content };
    case types.link:
      return { path, kind: 'link', content: Buffer.from(target, 'latin1') };
    default:
      throw new TarError(`${nameOf(path)} is neither a file nor a folder nor a symbolic link`);
  }
}

/** For messages. */
export function nameOf(path: string): string {
  return JSON.stringify(Buffer.from(path.slice(0, 300), 'latin1').toString());
}

function pathOf(block: Buffer): string {
  const name = textOf(block, nameField);
  // GNU's own form, "ustar  ", has other things there.
  const prefix = textOf(block, magicField) === 'ustar' ? textOf(block, prefixField) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

function textOf(block: Buffer, { at, size }: Field): string {
  return upToNul(block.toString('latin1', at, at + size));
}

function upToNul(text: string): string {
  const end = text.indexOf('\0');
  return end === -1 ? text : text.slice(0, end);
}

function octalOf(block: Buffer, field: Field): number {
  const text = textOf(block, field).trim();
  if (!/^[0-7]*$/.test(text)) throw new TarError('a number in a header is none');
  return text === '' ? 0 : Number.parseInt(text, 8);
}

function recordsOf(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  let rest = content.toString('latin1');
  while (rest !== '') {
    const [, digits = '', key = ''] = /^(\d{1,9}) ([^=\n]+)=/.exec(rest) ?? [];
    const length = Number(digits);
    const start = digits.length + key.length + 2;
    if (key === '' || length <= start || length > rest.length || rest[length - 1] !== '\n') {
      throw new TarError('a pax record is damaged');
    }
    records.set(key, rest.slice(start, length - 1));
    rest = rest.slice(length);
  }
  return records;
}

/** Takes pieces of the wished size out of pieces of any. */
class ByteReader {
  readonly #pieces: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  async skipAll(): Promise<void> {
    while ((await this.#pieces.next()).done !== true);
  }

  async take(size: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    let missing = size;
    while (this.#rest.length < missing) {
      parts.push(this.#rest);
      missing -= this.#rest.length;
      const { value, done } = await this.#pieces.next();
      if (done === true) throw new TarError('it ends too early');
      this.#rest = value;
    }
    parts.push(this.#rest.subarray(0, missing));
    this.#rest = this.#rest.subarray(missing);
    return parts.length === 1 ? (parts[0] ?? this.#rest) : Buffer.concat(parts);
  }
}
