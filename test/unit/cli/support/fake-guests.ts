import { VdpaError } from '../../../../src/errors.js';
import type { GuestInterface } from '../../../../src/guest/guest-interface.js';
import { interfaceName } from '../../../../src/guest/interface-name.js';
import type { ClaimDesk } from '../../../../src/lifecycle/claim-desk.js';
import type { AttachCall, DetachCall, GuestDesk } from '../../../../src/lifecycle/guest-desk.js';
import type { Claim } from '../../../../src/tracker/claim.js';

/** Guests that take and give whatever a desk's claims have; libvirt's are not to be reached. */
export function fakeGuests(desk: ClaimDesk): GuestDesk & { readonly calls: readonly object[] } {
  const calls: object[] = [];
  const inGuests = new Map<string, GuestInterface[]>();
  const claimsOf = async ({ devicesOf }: Pick<AttachCall, 'devicesOf'>): Promise<Claim[]> => {
    const all = await desk.claims();
    const found = all.filter(({ id, instance }) =>
      'claim' in devicesOf ? id === devicesOf.claim : instance === devicesOf.instance,
    );
    if (found.length > 0) return found;
    throw new VdpaError('CLAIM_NOT_FOUND', 'there is no such claim', { retry: 'never' });
  };
  return {
    calls,
    async attach(call) {
      calls.push(call);
      const { guest, queuePairs = 1, mtu = null, onStep } = call;
      if (guest.startsWith('libvirt:')) {
        throw new VdpaError('GUEST_UNREACHABLE', 'libvirt is not to be reached', {
          retry: 'later',
        });
      }
      const records = new Map((await desk.records()).map((one) => [one.device.id, one]));
      const attached = (await claimsOf(call)).map((claim) => ({
        claim,
        interfaces: claim.devices.map(({ deviceId }, index): GuestInterface => {
          onStep?.(`give ${deviceId} to ${guest}`);
          return {
            name: interfaceName(claim.id, deviceId),
            claimId: claim.id,
            deviceId,
            charDevice: records.get(deviceId)?.device.vdpa?.charDevice ?? null,
            mac: `52:54:00:00:00:0${index + 1}`,
            queuePairs,
            mtu,
            state: 'attached',
          };
        }),
      }));
      inGuests.set(
        guest,
        attached.flatMap(({ interfaces }) => interfaces),
      );
      return attached;
    },
    async detach(call: DetachCall) {
      calls.push(call);
      return (await claimsOf(call)).map(({ id, devices }) => ({
        claim: id,
        guest: call.guest ?? [...inGuests.keys()][0] ?? null,
        devices: devices.map(({ deviceId }) => {
          call.onStep?.(`take ${deviceId} out`);
          return deviceId;
        }),
      }));
    },
    async guests() {
      const [claim] = await desk.claims();
      const [device] = claim?.devices ?? [];
      if (claim === undefined || device === undefined) return [];
      const own: GuestInterface = {
        name: interfaceName(claim.id, device.deviceId),
        claimId: claim.id,
        deviceId: device.deviceId,
        charDevice: '/dev/vhost-vdpa-2',
        mac: '52:54:00:12:34:56',
        queuePairs: 1,
        mtu: null,
        state: 'attached',
      };
      const listing = { claims: [], interfaces: [], error: null };
      return [
        { ...listing, guest: 'qmp:/run/guests/vm1.qmp', claims: [claim.id], interfaces: [own] },
        { ...listing, guest: 'qmp:/run/guests/vm2.qmp' },
      ];
    },
  };
}
