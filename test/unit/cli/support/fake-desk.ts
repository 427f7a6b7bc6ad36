import type { ClaimDesk } from '../../../../src/lifecycle/claim-desk.js';
import type { Config } from '../../../../src/lifecycle/config.js';
import { DeviceSpec } from '../../../../src/policy/device-spec.js';
import type { ClaimId, InstanceId } from '../../../../src/tracker/claim.js';
import { MemoryStore } from '../../../../src/tracker/memory-store.js';
import { Tracker } from '../../../../src/tracker/tracker.js';
import { vdpaRequest } from '../../../support/requests.js';
import { deskOf } from '../../../support/tracker-desk.mjs';
import { card } from '../../tracker/support/devices.js';

export const fakeConfig: Config = {
  path: '/etc/vdpa-host/config.json',
  deviceSpec: [{ physical_network: 'net1' }],
  store: '/var/lib/vdpa-host/store',
  reportInPlacement: false,
  allowSoftwareDevices: false,
  retypeGraceMs: 10_000,
  numa: { policy: null },
  guests: { qmp: { monitor: '/run/guests/{guest}.qmp' }, libvirt: null },
};

/** A desk over a tracker of its own: a card with three vDPA devices on net1, of which an instance has one. */
export function fakeDesk(): ClaimDesk & AsyncDisposable {
  const devices = card('65', 3).map((device, index) => ({
    ...device,
    vdpa:
      device.type === 'vdpa'
        ? { name: `vdpa${index - 1}` as never, charDevice: `/dev/vhost-vdpa-${index - 1}` }
        : null,
  }));
  const opened = (async () => {
    const tracker = await Tracker.open(new MemoryStore(), DeviceSpec.parse(fakeConfig.deviceSpec));
    await tracker.sync({ devices, cells: null });
    await tracker.claim({
      id: '9d0e8a52-1b0c-4f3a-9a53-0c5f3f1f6a41' as ClaimId,
      instance: '1e4fdc1e-7f3d-4bb7-a4c0-0a2b7b0ff7c2' as InstanceId,
      requests: [vdpaRequest()],
    });
    return tracker;
  })();
  // One desk for several command lines: none of them closes it.
  return { ...deskOf(opened), [Symbol.asyncDispose]: async () => {} };
}
