import { VdpaError } from '../errors.js';
import { type InterfaceName, interfaceName } from '../guest/interface-name.js';
import type { NetworkContext } from '../guest/network-backend.js';
import type { DeviceId } from '../host/device-id.js';
import type { Inventory } from '../host/inventory.js';
import type { PortId } from '../policy/device-request.js';
import type { Claim, ClaimId, InstanceId } from '../tracker/claim.js';
import type { Tracker } from '../tracker/tracker.js';

/** What goes into a guest, or out of it: of a claim all or some, or what an instance has for one neutron port. */
export type PlugSelection =
  | { readonly claim: ClaimId; readonly devices?: readonly DeviceId[] | undefined }
  | { readonly instance: InstanceId; readonly port: PortId };

/** One of a claim's vDPA devices, as an interface of its guest. */
export interface ClaimedInterface {
  readonly name: InterfaceName;
  readonly deviceId: DeviceId;
  /** The neutron port that it is for; null: the network needs nothing done. */
  readonly port: PortId | null;
  /** The port's, lower case; null when it has none: then the guest gets the device's own. */
  readonly mac: string | null;
}

/** A claim, and those of its interfaces that a call is about. */
export interface SelectedInterfaces {
  readonly claim: Claim;
  readonly interfaces: readonly ClaimedInterface[];
}

/** @throws {VdpaError} `CLAIM_NOT_FOUND`, `NOT_SUPPORTED` (it has no vDPA device) */
export function selectedInterfaces(tracker: Tracker, selection: PlugSelection): SelectedInterfaces {
  if ('claim' in selection) {
    const claim = tracker.claimOf(selection.claim);
    if (claim === null) throw notFound(`there is no claim ${selection.claim}`);
    const { devices } = selection;
    const all = claimedInterfaces(tracker, claim);
    const chosen = all.filter(({ deviceId }) => devices?.includes(deviceId) !== false);
    return { claim, interfaces: someOf(claim, chosen) };
  }
  const { instance, port } = selection;
  const claims = tracker
    .claims(instance)
    .filter(({ requests }) => requests.some(({ portId }) => portId === port))
    .map((claim) => ({ claim, interfaces: ofPort(tracker, claim, port) }));
  // A claim still names a port whose device it has given back.
  const own = claims.find(({ interfaces }) => interfaces.length > 0) ?? claims[0];
  if (own === undefined) throw notFound(`instance ${instance} has no claim for port ${port}`);
  return { claim: own.claim, interfaces: someOf(own.claim, own.interfaces) };
}

function ofPort(tracker: Tracker, claim: Claim, port: PortId): ClaimedInterface[] {
  return claimedInterfaces(tracker, claim).filter((one) => one.port === port);
}

/** Those of a claim, in its order. Devices of other types are the caller's to plug. */
export function claimedInterfaces(tracker: Tracker, claim: Claim): ClaimedInterface[] {
  const requests = new Map(claim.requests.map((request) => [request.requestId, request]));
  return claim.devices.flatMap(({ deviceId, requestId }) => {
    if (tracker.record(deviceId)?.device.type !== 'vdpa') return [];
    const request = requests.get(requestId);
    return [
      {
        name: interfaceName(claim.id, deviceId),
        deviceId,
        port: request?.portId ?? null,
        mac: request?.mac ?? null,
      },
    ];
  });
}

/** Where a device stands on the host; of one that is gone what is still known. */
export function networkContext(
  { pfs, vfs, devices }: Pick<Inventory, 'pfs' | 'vfs' | 'devices'>,
  { deviceId, mac }: ClaimedInterface,
  mtu: number | null,
): NetworkContext {
  const vf = vfs.find(({ address }) => `pci/${address}` === deviceId);
  const pf = vf?.pfAddress ?? devices.find(({ id }) => id === deviceId)?.parent.pfAddress ?? null;
  return {
    deviceId,
    pf,
    vfIndex: vf?.vfIndex ?? null,
    pfNetdev: pfs.find(({ address }) => address === pf)?.netdevs[0]?.name ?? null,
    representor: vf?.representor?.name ?? null,
    mac,
    mtu,
  };
}

function someOf(claim: Claim, interfaces: readonly ClaimedInterface[]) {
  if (interfaces.length > 0) return interfaces;
  throw new VdpaError(
    'NOT_SUPPORTED',
    `claim ${claim.id} has no vDPA device there: what else it has is plugged by other means`,
    { retry: 'never' },
  );
}

function notFound(message: string): VdpaError {
  return new VdpaError('CLAIM_NOT_FOUND', message, { retry: 'never' });
}
