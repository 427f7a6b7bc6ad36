import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { VdpaError } from '../errors.js';
import { type MemoryLock, setMemoryLock } from '../native.js';

/** What QEMU locks beside the guest's memory. */
const ownBytes = 2 ** 30;

/**
 * RLIMIT_MEMLOCK of a process, in bytes.
 *
 * @throws {VdpaError} `GUEST_NOT_FOUND` when it has ended
 */
export function memoryLockOf(pid: number): MemoryLock {
  let limits: string;
  try {
    limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
  } catch (cause) {
    throw new VdpaError('GUEST_NOT_FOUND', `process ${pid}, which ran the guest, has ended`, {
      retry: 'later',
      cause,
    });
  }
  const [, soft, hard] =
    /^Max locked memory\s+(\d+|unlimited)\s+(\d+|unlimited)\s/m.exec(limits) ?? [];
  return { soft: bytes(soft), hard: bytes(hard) };
}

function bytes(text: string | undefined): number {
  return text === 'unlimited' ? Number.POSITIVE_INFINITY : Number(text ?? 0);
}

/** How much QEMU must be able to lock: all of the guest's memory, once for each device. */
export function neededLock(guestBytes: number, devices: number): number {
  return guestBytes * devices + ownBytes;
}

/** Paths of the char devices of vhost_vdpa that a process has open, each once; null when that is not to be seen. */
export function openCharDevices(pid: number): Set<string> | null {
  const folder = `/proc/${pid}/fd`;
  const paths = new Set<string>();
  try {
    for (const descriptor of readdirSync(folder)) {
      const target = targetOf(`${folder}/${descriptor}`);
      if (/\/vhost-vdpa-\d+/.test(target)) paths.add(target);
    }
  } catch {
    return null;
  }
  return paths;
}

function targetOf(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // closed meanwhile
  }
}

/**
 * Whether a process is QEMU, by its command line: the other end of a monitor that QEMU was given ready
 * made is whoever made it.
 */
export async function isQemu(pid: number): Promise<boolean> {
  // It is read from the process's memory, and may have to wait for who changes that.
  const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  // A wrapper, such as a dynamic loader, comes first.
  return line
    .split('\0')
    .slice(0, 8)
    .some((word) => /(^|\/)(qemu-|kvm$)/.test(word));
}

/**
 * Raises the limit of a process to what is needed, unless it is that high.
 *
 * @returns the limit that was replaced; null when nothing was
 * @throws {VdpaError} `MEMORY_LOCK_TOO_LOW`; as `memoryLockOf`
 */
export function raiseMemoryLock(pid: number, needed: number): MemoryLock | null {
  const { soft, hard } = memoryLockOf(pid);
  if (soft >= needed) return null;
  try {
    return setMemoryLock(pid, { soft: needed, hard: Math.max(hard, needed) });
  } catch (cause) {
    if (!(cause instanceof VdpaError)) throw cause;
    throw new VdpaError(
      'MEMORY_LOCK_TOO_LOW',
      `QEMU (pid ${pid}) may lock ${soft} bytes of memory and needs ${needed}, and this process may not raise that: ` +
        'start QEMU with LimitMEMLOCK=infinity, or give this process CAP_SYS_RESOURCE',
      { errno: cause.errno, cause },
    );
  }
}

/** Puts a limit back; of a process that has ended nothing is left to put back. */
export function restoreMemoryLock(pid: number, before: MemoryLock): void {
  try {
    setMemoryLock(pid, before);
  } catch (error) {
    if (!(error instanceof VdpaError && error.errno === 'ESRCH')) throw error;
  }
}
