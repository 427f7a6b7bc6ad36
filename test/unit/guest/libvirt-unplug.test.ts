import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { interfaceName } from '../../../src/guest/interface-name.js';
import { libvirtCode } from '../../../src/guest/libvirt-refusal.js';
import { takeOut } from '../../../src/guest/libvirt-unplug.js';
import type { DeviceId } from '../../../src/host/device-id.js';
import type { ClaimId } from '../../../src/tracker/claim.js';
import { refusal, ScriptedLibvirt, shown } from './support/scripted-libvirt.js';

const name = interfaceName('claim1' as ClaimId, 'vdpa/sim0' as DeviceId);
const xml = `<interface type='vdpa'><mac address='02:00:00:00:be:ef'/><source dev='/dev/vhost-vdpa-7'/>
  <alias name='ua-${name}'/></interface>`;
const signal = (): AbortSignal => AbortSignal.timeout(60_000);
const internalError = 1;
const missing = refusal(libvirtCode.deviceMissing, 'device not found: no device found with alias');

describe('taking an interface out', () => {
  test('asks also where libvirt shows none: it may be giving it still', async () => {
    // The attach of a process that was killed comes to its end before the detach is answered.
    let running = '';
    const libvirt = new ScriptedLibvirt(([call], it) => {
      if (call === 'show') return shown(running, null);
      if (it.asked.length === 1) {
        running = xml;
        return missing;
      }
      running = '';
      return [];
    });
    await takeOut(libvirt.guest, name, null, signal());
    expect(libvirt.asked.filter((line) => line === 'detach 1')).toHaveLength(2);
    expect(running).toBe('');
  });

  test('does not believe that it is gone while libvirt is busy with the guest', async () => {
    const busy = refusal(libvirtCode.operationTimeout, 'cannot acquire state change lock');
    let times = 0;
    const libvirt = new ScriptedLibvirt(([call]) => {
      if (call === 'show') return shown('', null);
      return ++times < 3 ? busy : missing;
    });
    await takeOut(libvirt.guest, name, null, signal());
    expect(times).toBe(3);
  });

  test('from a guest whose QEMU ends under the question also takes it from what it starts with', async () => {
    let running: string | null = xml;
    let next = xml;
    const libvirt = new ScriptedLibvirt(([call, , part]) => {
      if (call === 'show') return shown(running, next);
      if (part === '1' && running !== null) {
        running = null;
        return refusal(internalError, 'internal error: End of file from qemu monitor');
      }
      next = '';
      return [];
    });
    await takeOut(libvirt.guest, name, null, signal());
    expect(libvirt.asked.at(-1)).toBe('detach 2');
    expect(next).toBe('');
  });

  test('that the guest does not have is done, and of no guest there is none', async () => {
    const without = new ScriptedLibvirt(([call]) => (call === 'show' ? shown('', '') : missing));
    await takeOut(without.guest, name, null, signal());
    expect(without.asked).toEqual(['detach 1', 'show']);
    const gone = new ScriptedLibvirt(() => refusal(libvirtCode.noDomain, 'no domain with uuid'));
    const taken = takeOut(gone.guest, name, null, signal());
    await expect(taken).rejects.toSatisfy(
      (error) => error instanceof VdpaError && error.code === 'GUEST_NOT_FOUND',
    );
  });
});
