import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { VdpaError } from '../errors.js';

interface NewFileOptions {
  /** Replace a file that is there. */
  readonly force: boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Makes a file (mode 0600) that is there whole or not at all: written beside its place, flushed to
 * the disk, then given its name.
 *
 * @returns its size in bytes
 * @throws {VdpaError} `CAPTURE_EXISTS`, `CAPTURE_NOT_WRITTEN`
 */
export async function makeFile(
  file: string,
  pieces: Iterable<Buffer>,
  through: Transform,
  { force, signal }: NewFileOptions,
): Promise<number> {
  const path = resolve(file);
  const temporary = join(
    dirname(path),
    `.${basename(path).slice(0, 200)}.${randomBytes(6).toString('hex')}.tmp`,
  );
  try {
    await assertFree(path, force);
    try {
      const size = await write(temporary, pieces, through, signal);
      await name(temporary, path, force);
      return size;
    } finally {
      await rm(temporary, { force: true });
    }
  } catch (error) {
    signal?.throwIfAborted();
    throw typed(error, path);
  }
}

/**
 * Refuses what is there already. With force a plain file may be: never a folder, a device or a link.
 *
 * @throws {VdpaError} `CAPTURE_EXISTS`
 */
export async function assertFree(path: string, force: boolean): Promise<void> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw typed(error, path);
  });
  if (found === null || (force && found.isFile())) return;
  throw new VdpaError(
    'CAPTURE_EXISTS',
    found.isFile()
      ? `${path} exists: give another name, or replace it (--force)`
      : `${path} is no plain file: give another name`,
  );
}

async function write(
  temporary: string,
  pieces: Iterable<Buffer>,
  through: Transform,
  signal: AbortSignal | undefined,
): Promise<number> {
  const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
  const handle = await open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    let failure: unknown;
    const sink = async (bytes: AsyncIterable<Buffer>): Promise<void> => {
      try {
        for await (const piece of bytes) await handle.writeFile(piece);
      } catch (error) {
        failure = error;
        throw error;
      }
    };
    // A pipeline may reject with its own end instead of what ended it.
    await pipeline(
      Readable.from(pieces, { objectMode: false }),
      through,
      sink,
      signal === undefined ? {} : { signal },
    ).catch((error) => {
      throw failure ?? error;
    });
    await handle.sync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

async function name(temporary: string, path: string, force: boolean): Promise<void> {
  if (force) {
    await rename(temporary, path);
  } else {
    // Unlike rename, link never replaces what came meanwhile. Some file systems have none.
    await link(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === 'EEXIST') await assertFree(path, false);
      if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(error.code ?? '')) {
        throw error;
      }
      await assertFree(path, false);
      await rename(temporary, path);
    });
  }
  // The file itself is on the disk. That its name is, too, not every folder lets itself be told.
  const folder = await open(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY).catch(
    () => null,
  );
  await folder?.sync().catch(() => {});
  await folder?.close().catch(() => {});
}

function typed(error: unknown, path: string): unknown {
  if (error instanceof VdpaError || !(error instanceof Error) || !('code' in error)) return error;
  const errno = String(error.code);
  const why: Readonly<Record<string, string>> = {
    ENOSPC: 'the disk is full',
    EDQUOT: 'the quota of the disk is used up',
    EFBIG: 'the file is larger than this process may write (ulimit -f)',
    EROFS: 'the file system is read-only',
    ENOENT: 'the folder is not there',
    ENOTDIR: 'its folder is no folder',
    EACCES: 'this process may not write there',
    EPERM: 'this process may not write there',
    ENAMETOOLONG: 'the name is too long',
  };
  return new VdpaError(
    'CAPTURE_NOT_WRITTEN',
    `${path} could not be written: ${why[errno] ?? error.message} (${errno})`,
    { errno, cause: error },
  );
}
