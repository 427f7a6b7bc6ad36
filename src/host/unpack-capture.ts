import { createReadStream } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { createGunzip } from 'node:zlib';
import { VdpaError } from '../errors.js';
import { manifestName, parseManifest } from './capture-manifest.js';
import { nameOf, readTar, type TarEntry, TarError } from './tar.js';
import { TemporaryFolder } from './temporary-folder.js';

export interface UnpackLimits {
  readonly entries: number;
  /** Unpacked, with everything that is not a file's content. */
  readonly bytes: number;
  readonly fileBytes: number;
}

const defaultLimits: UnpackLimits = {
  // A capture of 4,000 devices has a tenth of both.
  entries: 500_000,
  bytes: 1024 ** 3,
  // As much as native/core reads of one file.
  fileBytes: 8 * 1024 ** 2,
};
const mostPathBytes = 4000;
const mostNameBytes = 255;
/** Writes under way. */
const mostAtOnce = 64;
const mostBytesAtOnce = 16 * 1024 ** 2;

/**
 * Unpacks a capture into a private folder.
 *
 * Nothing in the archive is trusted: every entry has its place below the folder and is a plain file,
 * a folder or a link that stays below it. No link is made before all files are written, so nothing
 * is ever written through one.
 *
 * @throws {VdpaError} `CAPTURE_INVALID`, `CAPTURE_TOO_NEW`, `RESOURCE_EXHAUSTED`, `ROOT_INVALID`
 */
export async function unpackCapture(
  file: string,
  limits = defaultLimits,
): Promise<TemporaryFolder> {
  let folder: TemporaryFolder | undefined;
  try {
    folder = await TemporaryFolder.make('vdpa-host-capture-');
    await new Unpacking(file, folder.path, limits).run();
    return folder;
  } catch (error) {
    await folder?.remove();
    throw typed(error, file);
  }
}

class Unpacking {
  readonly #file: string;
  readonly #folder: string;
  readonly #limits: UnpackLimits;
  readonly #files = new Set<string>();
  /** Where each points. */
  readonly #links = new Map<string, string>();
  /** All that something is in. */
  readonly #folders = new Set<string>();
  readonly #made = new Map<string, Promise<unknown>>();
  #entries = 0;
  /** Bytes in memory, under way to the disk. */
  #held = 0;
  #hasManifest = false;
  #writing: Promise<void>[] = [];

  constructor(file: string, folder: string, limits: UnpackLimits) {
    this.#file = file;
    this.#folder = folder;
    this.#limits = limits;
  }

  async run(): Promise<void> {
    await this.#readArchive();
    if (!this.#hasManifest) {
      throw this.#invalid(`it has no ${manifestName}, so it is no capture`);
    }
    await this.#makeLinks();
  }

  async #readArchive(): Promise<void> {
    const source = createReadStream(this.#file);
    const gunzip = createGunzip();
    source.on('error', (error) => gunzip.destroy(error));
    try {
      const pieces = this.#counted(source.pipe(gunzip));
      for await (const entry of readTar(pieces, this.#limits.fileBytes)) {
        this.#take(entry);
        this.#held += entry.content.length;
        if (this.#writing.length >= mostAtOnce || this.#held >= mostBytesAtOnce)
          await this.#written();
      }
      await this.#written();
    } finally {
      source.destroy();
      gunzip.destroy();
      // Nothing may be written once the folder is being removed.
      await Promise.allSettled(this.#writing);
    }
  }

  async *#counted(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let bytes = 0;
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > this.#limits.bytes) {
        throw this.#invalid(`it unpacks to more than ${this.#limits.bytes} bytes`);
      }
      yield piece;
    }
  }

  /** Waits for all that is being written, also after a failure. */
  async #written(): Promise<void> {
    const writing = this.#writing;
    this.#writing = [];
    this.#held = 0;
    for (const result of await Promise.allSettled(writing)) {
      if (result.status === 'rejected') throw result.reason;
    }
  }

  #take({ path: asWritten, kind, content }: TarEntry): void {
    if (++this.#entries > this.#limits.entries) {
      throw this.#invalid(`it has more than ${this.#limits.entries} entries`);
    }
    const path = this.#place(asWritten);
    if (kind === 'directory') {
      this.#addParents(`${path}/`);
      this.#writing.push(this.#folderOf(`${path}/`));
      return;
    }
    this.#add(path);
    if (kind === 'link') {
      this.#addLink(path, content.toString('latin1'));
      return;
    }
    if (path === manifestName) {
      // Before anything that only a newer reader would understand.
      parseManifest(content.toString(), this.#file);
      this.#hasManifest = true;
    }
    this.#writing.push(this.#write(path, content));
  }

  /** The entry's path below the folder, in one spelling. */
  #place(path: string): string {
    const components = path.split('/').filter((name) => name !== '' && name !== '.');
    const odd =
      path.startsWith('/') ||
      path.includes('\0') ||
      components.includes('..') ||
      path.length > mostPathBytes ||
      components.some((name) => name.length > mostNameBytes);
    if (odd) throw this.#invalid(`${nameOf(path)} is no path of a capture`);
    return components.join('/');
  }

  #add(path: string): void {
    if (path === '' || this.#files.has(path) || this.#links.has(path)) {
      throw this.#invalid(`${nameOf(path)} is in it twice`);
    }
    this.#files.add(path);
    this.#addParents(path);
  }

  #addParents(path: string): void {
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      const parent = path.slice(0, end);
      if (this.#folders.has(parent)) return;
      this.#folders.add(parent);
    }
  }

  #addLink(path: string, target: string): void {
    // Every reader confines links to the tree. One that leads out of it was not made by a capture.
    const reached = posix.normalize(posix.join(posix.dirname(path), target));
    if (target === '' || target.includes('\0') || target.startsWith('/') || isOutside(reached)) {
      throw this.#invalid(`the link ${nameOf(path)} leads out of it`);
    }
    this.#links.set(path, target);
  }

  async #write(path: string, content: Buffer): Promise<void> {
    await this.#folderOf(path);
    await writeFile(this.#pathOf(path), content, { flag: 'wx', mode: 0o600 });
  }

  async #folderOf(path: string): Promise<void> {
    const folder = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    let made = this.#made.get(folder);
    if (made === undefined) {
      made = mkdir(this.#pathOf(folder), { recursive: true, mode: 0o700 });
      this.#made.set(folder, made);
    }
    await made;
  }

  async #makeLinks(): Promise<void> {
    for (const path of this.#links.keys()) {
      if (this.#folders.has(path))
        throw this.#invalid(`something is below the link ${nameOf(path)}`);
    }
    // All folders first: a link's parent is never a link then.
    for (const path of this.#links.keys()) await this.#folderOf(path);
    for (const [path, target] of this.#links) {
      this.#writing.push(this.#link(path, target));
      if (this.#writing.length >= mostAtOnce) await this.#written();
    }
    await this.#written();
  }

  async #link(path: string, target: string): Promise<void> {
    await symlink(Buffer.from(target, 'latin1'), this.#pathOf(path));
  }

  /** Names are bytes, and go to the file system as they are. */
  #pathOf(path: string): Buffer {
    return Buffer.concat([Buffer.from(`${this.#folder}/`), Buffer.from(path, 'latin1')]);
  }

  #invalid(detail: string): VdpaError {
    return new VdpaError('CAPTURE_INVALID', `${this.#file}: ${detail}`, { retry: 'never' });
  }
}

/** @param path normalised, below the root of the tree */
function isOutside(path: string): boolean {
  return path === '..' || path.startsWith('../');
}

const exhausted = ['ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM'];
/** What this machine's file system says, not the archive. */
const ofTheMachine = [...exhausted, 'EACCES', 'EPERM', 'EROFS', 'EIO', 'ENOENT', 'ESTALE'];

function typed(error: unknown, file: string): unknown {
  if (error instanceof VdpaError || !(error instanceof Error)) return error;
  if (error instanceof TarError) {
    return new VdpaError('CAPTURE_INVALID', `${file}: ${error.message}`, { retry: 'never' });
  }
  const errno = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const details = { errno: ofTheMachine.includes(errno) ? errno : undefined, cause: error };
  if (exhausted.includes(errno)) {
    return new VdpaError(
      'RESOURCE_EXHAUSTED',
      `${file} could not be unpacked: the folder for temporary files is full, or this process is ` +
        `short of memory or file descriptors (${error.message})`,
      { ...details, retry: 'later' },
    );
  }
  if (ofTheMachine.includes(errno)) {
    return new VdpaError(
      'ROOT_INVALID',
      `${file} could not be unpacked: ${error.message}`,
      details,
    );
  }
  return new VdpaError(
    'CAPTURE_INVALID',
    `${file} is no capture, or a damaged one: ${error.message}`,
    { ...details, retry: 'never' },
  );
}
