import type { DeviceId } from '../../../../src/host/device-id.js';
import type { AttachingHost } from '../../../../src/lifecycle/attach-claim.js';
import type { Tracker } from '../../../../src/tracker/tracker.js';
import { inventory } from '../../cli/support/inventory.js';

/** A host that has every device, all with one MAC, which they are said to take another for. */
export function attachingHost(tracker: Tracker): AttachingHost {
  return {
    tracker,
    resolve: (id) => ({
      id: id as DeviceId,
      name: `at ${id}` as never,
      charDevice: { path: `/dev/of ${id}`, major: 1, minor: 1, nodeExists: true },
    }),
    deviceConfig: async () => ({ net: { mac: '02:00:00:00:00:01' } }) as never,
    setMac: async () => {},
    inventory: async () => inventory(),
  };
}
