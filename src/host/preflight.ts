import type { NativeHost } from '../native.js';
import type { CallOptions, Connection } from './connection.js';
import type { Inventory } from './inventory.js';

export type Severity = 'ok' | 'warning' | 'error';

export type FindingCode =
  | 'kernel-version'
  | 'vdpa-module'
  | 'vdpa-family'
  | 'vhost-vdpa-module'
  | 'driver-contest'
  | 'privilege'
  | 'char-device-nodes'
  | 'devices';

/** One thing that was checked. */
export interface Finding {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** What was found. */
  readonly message: string;
  /** What to do about it; null when it is as it should be. */
  readonly cure: string | null;
}

/** vhost_vdpa appeared in Linux 5.7. */
const minimumKernel = { major: 5, minor: 7 } as const;
const capNetAdmin = 12n;

/**
 * Checks what the library needs of the machine: kernel, modules, family, privilege, and whether
 * vhost_vdpa and virtio_vdpa compete for new devices. Reads only; the order is that of the cures.
 */
export async function preflight(
  connection: Connection,
  options?: CallOptions,
): Promise<readonly Finding[]> {
  // Files included, it is one call: the host stays open until the last of them has been read.
  return await connection.call(
    'preflight',
    async (native, ms) =>
      findings(await connection.inventory(native, ms), native, statusOf(connection, native)),
    options,
  );
}

/**
 * Of this process, or of the one that made the capture. A tree that was put together in another way
 * says nothing of a process, and needs no privilege; undefined then.
 */
function statusOf({ live, capture }: Connection, native: NativeHost): string | null | undefined {
  const status = live || capture !== null ? native.readText('proc/self/status') : null;
  return live ? status : (status ?? undefined);
}

function findings(
  { abi, devices }: Inventory,
  native: NativeHost,
  status: string | null | undefined,
): readonly Finding[] {
  const hasBus = native.exists('sys/bus/vdpa');
  const hasVhost = native.exists('sys/bus/vdpa/drivers/vhost_vdpa');
  return [
    kernelVersion(native.readText('proc/sys/kernel/osrelease')),
    hasBus
      ? ok('vdpa-module', 'the vdpa bus exists')
      : problem('vdpa-module', 'the kernel has no vdpa bus', 'modprobe vdpa'),
    family(hasBus, abi !== null),
    hasVhost
      ? ok('vhost-vdpa-module', 'the driver vhost_vdpa is there')
      : problem(
          'vhost-vdpa-module',
          'the driver vhost_vdpa is not there: no device can reach a guest',
          'modprobe vhost_vdpa',
        ),
    driverContest(
      hasVhost && native.exists('sys/bus/vdpa/drivers/virtio_vdpa'),
      native.readText('sys/bus/vdpa/drivers_autoprobe'),
    ),
    ...(status === undefined ? [] : [privilege(status, native.readText('proc/self/uid_map'))]),
    nodes(
      devices
        .filter(({ reasons }) => reasons.includes('no-node') || reasons.includes('node-mismatch'))
        .map(({ name }) => name),
    ),
    devices.length > 0
      ? ok(
          'devices',
          `${devices.length} vDPA device${devices.length === 1 ? '' : 's'}, ${devices.filter((d) => d.usable).length} usable`,
        )
      : warning('devices', 'no vDPA device exists', 'vdpa dev add name NAME mgmtdev MGMTDEV'),
  ];
}

const ok = (code: FindingCode, message: string): Finding => ({
  code,
  severity: 'ok',
  message,
  cure: null,
});
const warning = (code: FindingCode, message: string, cure: string): Finding => ({
  code,
  severity: 'warning',
  message,
  cure,
});
const problem = (code: FindingCode, message: string, cure: string): Finding => ({
  code,
  severity: 'error',
  message,
  cure,
});

function kernelVersion(release: string | null): Finding {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release ?? '') ?? [];
  if (release === null || major === undefined || minor === undefined) {
    return warning(
      'kernel-version',
      'the kernel version is unknown',
      'check that it is Linux 5.7 or later',
    );
  }
  const recent =
    Number(major) > minimumKernel.major ||
    (Number(major) === minimumKernel.major && Number(minor) >= minimumKernel.minor);
  return recent
    ? ok('kernel-version', `Linux ${release}`)
    : problem('kernel-version', `Linux ${release} has no vhost_vdpa`, 'run Linux 5.7 or later');
}

function family(hasBus: boolean, hasFamily: boolean): Finding {
  if (hasFamily) return ok('vdpa-family', 'the netlink family vdpa answers');
  return hasBus
    ? problem(
        'vdpa-family',
        'the vdpa bus exists, but its netlink family does not answer here',
        "run in the host's own network namespace (nsenter --net=/proc/1/ns/net); Linux before 5.12 has no such family",
      )
    : problem('vdpa-family', 'no netlink family vdpa without the module', 'modprobe vdpa');
}

function driverContest(both: boolean, autoprobe: string | null): Finding {
  return both && autoprobe !== '0'
    ? warning(
        'driver-contest',
        'vhost_vdpa and virtio_vdpa are both there and new devices go to whichever was loaded first',
        'echo 0 > /sys/bus/vdpa/drivers_autoprobe, then bind by name; or unload virtio_vdpa',
      )
    : ok('driver-contest', 'the drivers do not compete for new devices');
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

function nodes(missing: readonly string[]): Finding {
  return missing.length === 0
    ? ok('char-device-nodes', 'every char device has its node')
    : problem(
        'char-device-nodes',
        `no node below /dev, or a wrong one, for ${missing.join(', ')}`,
        'mount devtmpfs on /dev, or make the device visible in this container',
      );
}
