import { closeSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs';

/** What a file system says that has no room: at all, for this user, for a file of this size. */
const lacks: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);
/** As much as a burst of commits takes. */
const probeBytes = 1 << 18;

/** The error of a file system that has no room; null for other errors. */
export function lackOf(error: unknown): string | null {
  const { code } = error as NodeJS.ErrnoException;
  return code !== undefined && lacks.has(code) ? code : null;
}

/**
 * Whether a write to a store failed for want of room. SQLite tells a full disk from other failures, not
 * a spent quota or a limit of the file's size: so what the store's log would have been given next is
 * written to a file of its own, at the same place.
 */
export function lackOfRoom(file: string): string | null {
  const probe = `${file}.probe`;
  let fd: number | null = null;
  try {
    fd = openSync(probe, 'wx', 0o600);
    const from = Math.max(sizeOf(file), sizeOf(`${file}-wal`));
    const bytes = Buffer.alloc(probeBytes);
    for (let at = 0; at < bytes.length; )
      at += writeSync(fd, bytes, at, bytes.length - at, from + at);
    return null;
  } catch (error) {
    return lackOf(error);
  } finally {
    if (fd !== null) {
      closeSync(fd);
      unlinkSync(probe);
    }
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
