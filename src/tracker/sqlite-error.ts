import { VdpaError } from '../errors.js';
import { lackOf, lackOfRoom } from './sqlite-room.js';
import { MalformedDocument } from './store-form.js';

/** What an operator does about a broken store; docs/store.md has it at length. */
const cureOfCorruption =
  'stop the agent, keep a copy of the files, see what `vdpa-host store check` says, and restore a ' +
  'backup or move them away and start anew';

/** The result code that SQLite gave, extended: `SQLITE_IOERR_WRITE`. Null for other errors. */
export function sqliteCode(error: unknown): string | null {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string')
    return null;
  return error.code.startsWith('SQLITE_') ? error.code : null;
}

/**
 * Says in the library's own terms what SQLite met.
 *
 * @param changing whether something was being stored: then anything but a full disk or a lock leaves
 *   open whether it was
 */
export function storeError(
  error: unknown,
  path: string,
  step: string,
  changing = false,
): VdpaError {
  if (error instanceof VdpaError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = sqliteCode(error);
  const about = `${message}${code === null ? '' : ` (${code})`}`;
  const details = { step: `${step} ${path}`, cause: error };
  const outcome = changing ? 'unknown' : 'unchanged';
  // SQLite has both of a write, and only before the commit's last frame is there.
  const lack =
    code === 'SQLITE_FULL'
      ? 'ENOSPC'
      : code === 'SQLITE_IOERR_WRITE'
        ? lackOfRoom(path)
        : lackOf(error);
  if (lack !== null) {
    return new VdpaError('STORE_FULL', `no room for the store ${path}: ${cureOfLack(lack)}`, {
      ...details,
      errno: lack,
      outcome: 'unchanged',
      retry: 'later',
    });
  }
  if (code !== null && /^SQLITE_(BUSY|LOCKED)/.test(code)) {
    return new VdpaError(
      'STORE_BUSY',
      `another program has a transaction open in the store ${path}: end it`,
      { ...details, outcome: 'unchanged', retry: 'later' },
    );
  }
  if (error instanceof MalformedDocument) return corrupt(path, message, outcome, error);
  if (code !== null && /^SQLITE_(CORRUPT|NOTADB|FORMAT)/.test(code)) {
    return corrupt(path, about, outcome, error);
  }
  return new VdpaError(
    'STORE_FAILED',
    changing
      ? `the store ${path} failed, and whether the last changes are in it is not known: open it again and read: ${about}`
      : `the store ${path} failed: ${about}`,
    { ...details, outcome, retry: 'after-fix' },
  );
}

function cureOfLack(errno: string): string {
  if (errno === 'EDQUOT') return "its owner's quota is used up: raise it, or make room in it";
  if (errno === 'EFBIG') {
    return 'a file of this size is not allowed: raise the limit (ulimit -f, LimitFSIZE=)';
  }
  return 'make room on its disk';
}

export function corrupt(
  path: string,
  what: string,
  outcome: 'unchanged' | 'unknown' = 'unchanged',
  cause?: unknown,
): VdpaError {
  return new VdpaError(
    'STORE_CORRUPT',
    `the store ${path} is damaged: ${what}; ${cureOfCorruption}`,
    {
      step: `read ${path}`,
      outcome,
      cause,
    },
  );
}
