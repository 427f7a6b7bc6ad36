import { type Finding, named, ok, problem, warning } from './finding.js';
import type { DeniedNodes } from './machine-facts.js';
import type { VdpaDevice } from './vdpa-device.js';

/** @param denied undefined when nobody asked */
export function deviceFindings(
  devices: readonly VdpaDevice[],
  denied: DeniedNodes | undefined,
): readonly Finding[] {
  return [
    nodes(
      devices
        .filter(({ reasons }) => reasons.includes('no-node') || reasons.includes('node-mismatch'))
        .map(({ name }) => name),
    ),
    ...(denied === undefined ? [] : [nodePermissions(denied)]),
    devices.length > 0
      ? ok(
          'devices',
          `${devices.length} vDPA device${devices.length === 1 ? '' : 's'}, ${devices.filter((d) => d.usable).length} usable`,
        )
      : warning('devices', 'no vDPA device exists', 'vdpa dev add name NAME mgmtdev MGMTDEV'),
  ];
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

function nodePermissions({ first, count }: DeniedNodes): Finding {
  return count === 0
    ? ok('node-permissions', 'this process may open every node of vhost_vdpa')
    : warning(
        'node-permissions',
        `this process may not open ${named(first, count)}`,
        'run as root, or give the nodes to the group that runs QEMU: vdpa-host provision sets owner ' +
          'and mode, and a udev rule keeps them',
      );
}
