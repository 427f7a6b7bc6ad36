import {
  accessSync,
  constants,
  lstatSync,
  realpathSync,
  type Stats,
  statfsSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { VdpaError } from '../errors.js';

/** File systems of other machines: their locks and shared memory do not hold what SQLite needs. */
const remoteFileSystems: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0xff534d42, 'SMB'],
  [0xfe534d42, 'SMB'],
  [0x517b, 'SMB'],
  [0x01021997, '9p'],
  [0x00c36400, 'Ceph'],
]);

/** A store's file, under the one name that all who use it agree on. */
export interface StorePath {
  readonly file: string;
  readonly folder: string;
  readonly exists: boolean;
}

/**
 * Finds the file behind a path: links are followed, so that the lock beside it is one for all.
 *
 * @throws {VdpaError} `STORE_NOT_OPENED`
 */
export function storePath(path: string): StorePath {
  const wanted = resolve(path);
  const folder = tried(wanted, () => realpathSync(dirname(wanted)), {
    ENOENT: `the folder ${dirname(wanted)} does not exist: create it`,
    ENOTDIR: `${dirname(wanted)} is below what is no folder`,
    EACCES: `the folder ${dirname(wanted)} cannot be entered: run as its owner`,
  });
  const found = tried(wanted, () => realOf(join(folder, basename(wanted))), {
    ENOENT: `${wanted} is a link to nothing`,
    ENOTDIR: `${dirname(wanted)} is no folder`,
    EACCES: `the folder ${folder} cannot be entered: run as its owner`,
  });
  if (found === null) return { file: join(folder, basename(wanted)), folder, exists: false };
  const { file, stats } = found;
  if (stats.isDirectory()) throw notOpened(wanted, 'it is a folder: name a file', 'EISDIR');
  if (!stats.isFile()) throw notOpened(wanted, 'it is no plain file', 'EINVAL');
  if (stats.nlink > 1) {
    throw notOpened(
      wanted,
      'the file has another name (a hard link), which would have a lock of its own: remove one',
      'EMLINK',
    );
  }
  return { file, folder: dirname(file), exists: true };
}

/** @throws {VdpaError} `STORE_NOT_OPENED` when the store cannot be written where it is */
export function assertWritable({ file, folder, exists }: StorePath): void {
  const remote = remoteFileSystems.get(statfsSync(folder).type);
  if (remote !== undefined) {
    throw notOpened(
      file,
      `its folder is on ${remote}: a store belongs on a disk of this machine`,
      'ENOTSUP',
    );
  }
  const reasons = {
    EACCES: 'this user may not write there: run as its owner, or change its mode',
    EROFS: 'its file system is read-only: mount it writable, or put the store elsewhere',
  };
  tried(file, () => accessSync(folder, constants.W_OK | constants.X_OK), reasons);
  if (exists) tried(file, () => accessSync(file, constants.R_OK | constants.W_OK), reasons);
}

function realOf(path: string): { file: string; stats: Stats } | null {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return null;
  const file = realpathSync(path);
  return { file, stats: statSync(file) };
}

function tried<T>(path: string, work: () => T, reasons: Readonly<Record<string, string>>): T {
  try {
    return work();
  } catch (error) {
    const { code = 'EIO', message } = error as NodeJS.ErrnoException;
    throw notOpened(path, reasons[code] ?? message, code, error);
  }
}

export function notOpened(path: string, why: string, errno?: string, cause?: unknown): VdpaError {
  return new VdpaError('STORE_NOT_OPENED', `cannot open the store ${path}: ${why}`, {
    errno,
    step: `open ${path}`,
    cause,
  });
}
