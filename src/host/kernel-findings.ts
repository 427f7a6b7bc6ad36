import type { NativeHost } from '../native.js';
import { type Finding, ok, problem, warning } from './finding.js';

/** vhost_vdpa appeared in Linux 5.7. */
const minimumKernel = { major: 5, minor: 7 } as const;

/** The kernel and its modules. @param hasFamily whether the netlink family vdpa answers here */
export function kernelFindings(native: NativeHost, hasFamily: boolean): readonly Finding[] {
  const hasBus = native.exists('sys/bus/vdpa');
  const hasVhost = native.exists('sys/bus/vdpa/drivers/vhost_vdpa');
  return [
    kernelVersion(native.readText('proc/sys/kernel/osrelease')),
    hasBus
      ? ok('vdpa-module', 'the vdpa bus exists')
      : problem('vdpa-module', 'the kernel has no vdpa bus', 'modprobe vdpa'),
    family(hasBus, hasFamily),
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
  ];
}

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
  if (autoprobe === '0') {
    return ok('driver-contest', 'new devices are bound by name only (drivers_autoprobe is 0)');
  }
  return both
    ? warning(
        'driver-contest',
        'vhost_vdpa and virtio_vdpa are both there and new devices go to whichever was loaded first',
        'echo 0 > /sys/bus/vdpa/drivers_autoprobe, then bind by name; or unload virtio_vdpa',
      )
    : ok('driver-contest', 'the drivers do not compete for new devices');
}
