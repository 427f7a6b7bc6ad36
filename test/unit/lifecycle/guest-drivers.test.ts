import { expect, test } from 'vitest';
import type { GuestEvent } from '../../../src/guest/guest-event.js';
import { interfaceName } from '../../../src/guest/interface-name.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import { GuestDrivers } from '../../../src/lifecycle/guest-drivers.js';
import { ScriptedMonitor } from '../guest/support/scripted-monitor.js';
import { claimId } from '../tracker/support/devices.js';

const name = interfaceName(claimId('c1'), 'vdpa/sim0' as DeviceId);

test('what a guest does is told by the reference that leads to it', async () => {
  let isTold = false;
  await using monitor = await ScriptedMonitor.start((_asked, it) => {
    if (!isTold) it.event('DEVICE_DELETED', { device: name, path: '/x' });
    isTold = true;
    return [];
  });
  const told: [string | null, GuestEvent['type']][] = [];
  await using drivers = new GuestDrivers(
    { qmp: null, libvirt: null },
    { onEvent: (...event) => told.push(event) },
  );
  const { driver, guest, reference } = drivers.place(`qmp:${monitor.path('vm1')}`);
  await driver.interfaces(guest);
  await expect.poll(() => told).toEqual([[reference, 'interface-gone']]);
  expect(reference).toBe(`qmp:${monitor.path('vm1')}`);
});
