import { VdpaError } from '../errors.js';
import { Change, unlessAborted } from './change.js';
import type { ChangeOptions, Connection } from './connection.js';
import { runHelper } from './helper.js';
import type { PciAddress } from './pci-address.js';
import type { VirtualFunction } from './pci-function.js';

export interface EnableVfsOptions extends ChangeOptions {
  /** Change a number that is not 0: the kernel takes all VFs away first. Default false. */
  readonly replace?: boolean | undefined;
  /** The number it is expected to have: with another it is `DEVICE_CHANGED`. Default: any. */
  readonly from?: number | undefined;
  /** Also take VFs away whose vDPA device the host itself uses, or that vfio-pci has. Default false. */
  readonly force?: boolean | undefined;
}

/** PCI numbers VFs with 16 bits. */
const maxVfs = 0xffff;

/** Gives a PF this many VFs; none of those that go is in use. */
export async function enableVfs(
  connection: Connection,
  pf: PciAddress,
  count: number,
  { replace = false, from, force = false, ...options }: EnableVfsOptions,
): Promise<readonly VirtualFunction[]> {
  if (!Number.isInteger(count) || count < 0 || count > maxVfs) {
    throw new TypeError(`${count} is no number of VFs: expected 0 to ${maxVfs}`);
  }
  const change = new Change(connection, options);
  const { signal } = change;
  const what = `${count} VFs of ${pf}`;
  const { native } = connection;
  const folder = `sys/bus/pci/devices/${pf}`;
  if (!native.exists(folder)) {
    throw new VdpaError('DEVICE_NOT_FOUND', `${what}: there is no such PCI function`, {
      retry: 'later',
    });
  }
  const total = native.readText(`${folder}/sriov_totalvfs`);
  if (total === null) {
    throw new VdpaError('NOT_SUPPORTED', `${what}: the function has no SR-IOV`, { retry: 'never' });
  }
  if (count > Number(total)) {
    throw new VdpaError('NOT_SUPPORTED', `${what}: it can have ${total}`, { retry: 'never' });
  }
  const before = await vfsOf(connection, pf, what, change);
  if (from !== undefined && before.length !== from) {
    throw new VdpaError(
      'DEVICE_CHANGED',
      `${what}: it has ${before.length} by now, and not ${from}: somebody else is changing it at the same time`,
      { retry: 'later' },
    );
  }
  if (before.length === count) return before;
  if (before.length > 0 && count > 0 && !replace) {
    throw new VdpaError(
      'VFS_EXIST',
      `${what}: it has ${before.length}, and the kernel takes all away before it makes another number: ask for 0 first, or to replace them`,
    );
  }
  const words = [pf, `${before.length}`, `${count}`];
  await unlessAborted(
    () => runHelper({ what, verb: 'vfs', force, words, timeoutMs: change.left }),
    signal,
  );
  try {
    // However long the change took, the reading has its own time.
    return await vfsOf(connection, pf, what, { signal, left: connection.timeoutMs });
  } catch (reason) {
    if (!(reason instanceof VdpaError)) throw reason;
    const { code, message, errno, step, retry } = reason;
    throw new VdpaError(code, `${what}: they are there, but could not be read: ${message}`, {
      errno,
      step,
      retry,
      outcome: 'partial',
      leftovers: [`${pf} has ${count} VFs`],
      cause: reason,
    });
  }
}

async function vfsOf(
  connection: Connection,
  pf: PciAddress,
  what: string,
  { signal, left: timeoutMs }: Pick<Change, 'signal' | 'left'>,
): Promise<readonly VirtualFunction[]> {
  const { vfs } = await connection.call(what, (native, ms) => connection.inventory(native, ms), {
    signal,
    timeoutMs,
  });
  return vfs.filter(({ pfAddress }) => pfAddress === pf);
}
