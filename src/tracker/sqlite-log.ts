import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { corrupt } from './sqlite-error.js';

const headerBytes = 32;
/** Without its lowest bit, which says how the checksums read the bytes. */
const magic = 0x377f0682;

/**
 * SQLite takes a log that does not begin as one for empty, and with it loses what was committed to
 * it. Such a log is refused here. One of zeros is sound: nothing of it had reached the disk when the
 * power went, so no commit in it was answered.
 *
 * @throws {VdpaError} `STORE_CORRUPT`
 */
export function assertSoundLog(file: string): void {
  const log = `${file}-wal`;
  const size = sizeOf(log);
  if (sizeOf(file) === null && size !== null && size > 0) {
    throw corrupt(file, `its log ${log} is there, but the file itself is not`);
  }
  // A store is moved into place whole: it is never empty.
  if (sizeOf(file) === 0) throw corrupt(file, 'the file is empty');
  if (size === null || size === 0) return;
  const header = Buffer.alloc(headerBytes);
  const fd = openSync(log, 'r');
  try {
    readSync(fd, header);
  } finally {
    closeSync(fd);
  }
  if (header.some((byte) => byte !== 0) && !isLogHeader(header)) {
    throw corrupt(file, `its log ${log} does not begin as one`);
  }
}

function isLogHeader(header: Buffer): boolean {
  const first = header.readUInt32BE();
  if (first !== magic && first !== magic + 1) return false;
  let [one, two] = [0, 0];
  for (let at = 0; at < 24; at += 8) {
    one = (one + word(header, at, first) + two) >>> 0;
    two = (two + word(header, at + 4, first) + one) >>> 0;
  }
  return one === header.readUInt32BE(24) && two === header.readUInt32BE(28);
}

function word(header: Buffer, at: number, first: number): number {
  return first === magic ? header.readUInt32LE(at) : header.readUInt32BE(at);
}

/** Null when there is no such file. */
function sizeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.size ?? null;
}
