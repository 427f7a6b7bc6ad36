import type { DeviceId } from '../../src/host/device-id.js';
import type { PciAddress } from '../../src/host/pci-address.js';
import type { RequestId } from '../../src/policy/device-request.js';
import type { Claim, ClaimId, InstanceId } from '../../src/tracker/claim.js';
import type { DeviceRecord } from '../../src/tracker/device-record.js';
import type { StoreChange } from '../../src/tracker/store.js';

// Documents as a tracker writes them, and the changes that it makes of them.

export function deviceId(index: number): DeviceId {
  return `pci/${address(index)}` as DeviceId;
}

function address(index: number): PciAddress {
  const [bus, slot] = [0x10 + (index >> 8), index & 0xff];
  const [device, fn] = [slot >> 3, slot & 7];
  return `0000:${bus.toString(16)}:${device.toString(16).padStart(2, '0')}.${fn}` as PciAddress;
}

export function claimId(name: string): ClaimId {
  return name as ClaimId;
}

/** A free VF with a vDPA device. */
export function freeDevice(index: number, fields: Partial<DeviceRecord> = {}): DeviceRecord {
  return {
    device: {
      id: deviceId(index),
      type: 'vdpa',
      address: address(index),
      vendorId: '15b3',
      productId: '101e',
      numaNode: 0,
      parentAddress: '0000:0f:00.0' as PciAddress,
      extra: { parent_ifname: 'enp15s0np0', capabilities: '{"network": ["gso", "tso"]}' },
      vdpa: { name: `vdpa${index}` as never, charDevice: `/dev/vhost-vdpa-${index}` },
      reasons: [],
    },
    home: '0000:0f:00.0' as PciAddress,
    status: 'available',
    claimId: null,
    instance: null,
    requestId: null,
    pending: null,
    vanished: false,
    released: 0,
    ...fields,
  };
}

/** A claim on devices by their numbers. */
export function claimOn(name: string, devices: readonly number[], fence = 1): Claim {
  const requestId = 'a3c1f5e0-0000-4000-8000-000000000001' as RequestId;
  return {
    id: claimId(name),
    fence,
    instance: '6f0c2f5e-0000-4000-8000-000000000002' as InstanceId,
    migration: null,
    status: 'claimed',
    requests: [
      {
        requestId,
        count: devices.length,
        spec: [{ dev_type: 'vdpa', physical_network: 'physnet1' }],
        numaPolicy: null,
        alias: null,
        portId: null,
      },
    ],
    numaCells: null,
    guest: null,
    devices: devices.map((index) => ({ deviceId: deviceId(index), requestId })),
  };
}

/** A device's record while a claim has it. */
export function heldDevice(index: number, { id, instance, status, devices }: Claim): DeviceRecord {
  const requestId = devices.find((held) => held.deviceId === deviceId(index))?.requestId ?? null;
  return freeDevice(index, { status, claimId: id, instance, requestId });
}

/** Makes new records of free devices. */
export function adding(...devices: readonly number[]): StoreChange {
  return {
    devices: devices.map((index) => ({ id: deviceId(index), from: null, to: freeDevice(index) })),
    claims: [],
  };
}

/** Makes a claim on devices whose records have a version. */
export function claiming(
  claim: Claim,
  devices: readonly (readonly [number, number])[],
): StoreChange {
  return {
    devices: devices.map(([index, from]) => ({
      id: deviceId(index),
      from,
      to: heldDevice(index, claim),
    })),
    claims: [{ id: claim.id, from: null, to: claim }],
  };
}

/** Ends a claim of version 1, and frees its devices. */
export function releasing(
  claim: Claim,
  devices: readonly (readonly [number, number])[],
): StoreChange {
  return {
    devices: devices.map(([index, from]) => ({ id: deviceId(index), from, to: freeDevice(index) })),
    claims: [{ id: claim.id, from: 1, to: null }],
  };
}
