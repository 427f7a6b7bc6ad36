import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { StoreOwner } from './store-holder.js';

// The file beside a store that names its owner. It is told to people only, so that nothing of it may keep
// a store from being opened; and whoever may write in the folder must not turn it against the owner by a
// link: it is made under another name that must be free, and put in the place of whatever is there.

/** Names this process. */
export function writeOwner(file: string): void {
  const owner: StoreOwner & { readonly started: string | null } = {
    pid: process.pid,
    started: startOf(process.pid),
    command: process.argv.join(' ').slice(0, 200),
    since: new Date().toISOString(),
  };
  const draft = `${ownerFile(file)}.new`;
  try {
    removed(draft);
    writeFileSync(draft, `${JSON.stringify(owner)}\n`, { mode: 0o600, flag: 'wx' });
    renameSync(draft, ownerFile(file));
  } catch {
    // A full disk: the lock holds all the same, only without a name.
    removed(draft);
    removed(ownerFile(file));
  }
}

/** Whether there is one that this process may not read. */
export function isOwnerHidden(file: string): boolean {
  try {
    textOf(ownerFile(file));
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES';
  }
}

/** Null when it says nothing that holds: half written, or of a process that is gone. */
export function readOwner(file: string): StoreOwner | null {
  try {
    const { pid, started, command, since } = JSON.parse(textOf(ownerFile(file)));
    const whole = [started, command, since].every((text) => typeof text === 'string');
    if (!Number.isSafeInteger(pid) || !whole || startOf(pid) !== started) return null;
    return { pid, command, since };
  } catch {
    return null;
  }
}

export function removeOwner(file: string): void {
  removed(ownerFile(file));
}

function ownerFile(file: string): string {
  return `${file}.owner`;
}

/** Of a plain file that is no link: of a pipe nobody would ever come to the end. */
function textOf(path: string): string {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return fstatSync(fd).isFile() ? readFileSync(fd, 'utf8') : '';
  } finally {
    closeSync(fd);
  }
}

function removed(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is not there, or cannot go.
  }
}

/** When a process started, in the kernel's own clock: process ids are used again. Null: no such process. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, in parentheses, may hold anything; the start is field 22.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}
