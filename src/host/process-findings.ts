import type { NativeHost } from '../native.js';
import type { Connection } from './connection.js';
import { type Finding, ok, warning } from './finding.js';

const capNetAdmin = 12n;

/**
 * What this process may do, or the one that made a capture. A tree that was put together in another
 * way says nothing of a process and needs no privilege, and older captures tell nothing of limits:
 * nothing then.
 */
export function processFindings(
  { live, capture }: Connection,
  native: NativeHost,
): readonly Finding[] {
  if (!live && capture === null) return [];
  const status = native.readText('proc/self/status');
  const limits = native.readText('proc/self/limits');
  return [
    ...(live || status !== null ? [privilege(status, native.readText('proc/self/uid_map'))] : []),
    ...(live || limits !== null ? [memoryLock(limits)] : []),
  ];
}

/**
 * The family asks for the capability in the initial user namespace, whose map is the whole range.
 * A kernel without user namespaces has no map.
 */
function privilege(status: string | null, uidMap: string | null): Finding {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(status ?? '')?.[1];
  if (effective === undefined) {
    return warning('privilege', 'the privileges of this process are unknown', 'run as root');
  }
  const initial = uidMap === null || /^\s*0\s+0\s+4294967295\s*$/.test(uidMap);
  const capable = ((BigInt(`0x${effective}`) >> capNetAdmin) & 1n) === 1n;
  if (capable && initial) {
    return ok('privilege', 'CAP_NET_ADMIN: may create and delete devices and read statistics');
  }
  return warning(
    'privilege',
    `${capable ? 'CAP_NET_ADMIN only in a user namespace' : 'without CAP_NET_ADMIN'}: listing works; ` +
      'statistics, create, delete and set are refused',
    'run as root of the host',
  );
}

/**
 * vhost_vdpa counts the guest's memory that it pins against RLIMIT_MEMLOCK of the process that runs
 * the guest, once for each device, and makes no exception for CAP_IPC_LOCK.
 */
function memoryLock(limits: string | null): Finding {
  const soft = /^Max locked memory\s+(\d+|unlimited)\s/m.exec(limits ?? '')?.[1];
  if (soft === 'unlimited') return ok('memory-lock', 'memory may be locked without limit');
  if (soft === undefined) {
    return warning('memory-lock', 'how much memory may be locked is unknown', memoryLockCure);
  }
  const mebibytes = Number((Number(soft) / 1024 ** 2).toFixed(2));
  return warning(
    'memory-lock',
    `${mebibytes} MiB of memory may be locked: too little for QEMU started from here, as each device ` +
      "locks all memory of its guest again (libvirt raises QEMU's limit by itself)",
    memoryLockCure,
  );
}

const memoryLockCure =
  'LimitMEMLOCK=infinity in the unit of whoever starts QEMU, or ulimit -l unlimited before it';
