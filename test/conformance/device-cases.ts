import { VdpaError } from '../../src/errors.js';
import type { DeviceId } from '../../src/host/device-id.js';
import type { PciAddress } from '../../src/host/pci-address.js';
import type { DeviceType } from '../../src/policy/reported-device.js';
import type { InstanceId } from '../../src/tracker/claim.js';
import type { DeviceRecord, DeviceStatus } from '../../src/tracker/device-record.js';
import { Draft } from '../../src/tracker/draft.js';
import { Ledger } from '../../src/tracker/ledger.js';
import {
  allocateDevice,
  assertForgettable,
  claimDevice,
  freeDevice,
} from '../../src/tracker/transitions.js';
import { type DecideCase, differences, type RecordedCase } from './cases.js';

interface VectorRecord {
  readonly address: string;
  readonly vendor_id: string;
  readonly product_id: string;
  readonly dev_type: DeviceType;
  /** A record that is removed or deleted is one that we do not have. */
  readonly status: DeviceStatus | 'removed' | 'deleted';
  readonly numa_node: number | null;
  readonly parent_addr: string | null;
  readonly instance_uuid: string | null;
}

type Verb = 'claim' | 'allocate' | 'free' | 'remove';

interface DeviceCase {
  readonly devices: readonly VectorRecord[];
  readonly ops: readonly (readonly [Verb, string, string?])[];
}

interface ExpectedOp {
  readonly error?: string;
  readonly freed?: readonly string[];
  readonly devs: readonly (readonly [string, string | null])[];
}

const errorNames: Readonly<Record<string, string>> = {
  DEVICE_NOT_FREE: 'PciDeviceInvalidStatus',
  DEVICE_NOT_HELD: 'PciDeviceInvalidStatus',
  DEVICE_NOT_FOUND: 'PciDeviceInvalidStatus',
  DEVICE_HELD_BY_OTHER: 'PciDeviceInvalidOwner',
};

export const decideDevice: DecideCase = (recorded) => {
  const { devices, ops } = recorded.case as RecordedCase['case'] & DeviceCase;
  const expected = recorded.expected as { readonly ops: readonly ExpectedOp[] };
  const found: string[] = [];
  for (const [number, [verb, address, instance]] of ops.entries()) {
    const wanted = expected.ops[number];
    const error = wanted?.error && familyError(wanted.error, devices, address);
    found.push(
      ...differences(
        outcome(devices, verb, address, instance ?? null),
        { ...wanted, error },
        ` op ${number} ${verb} ${address}`,
      ),
    );
  }
  return found;
};

/** One code for both ways in which a family stands in the way. */
function familyError(error: string, devices: readonly VectorRecord[], address: string): string {
  const type = devices.find((device) => device.address === address)?.dev_type;
  const ofFamily = type === 'type-PF' ? 'PciDeviceVFInvalidStatus' : 'PciDevicePFInvalidStatus';
  return error === ofFamily ? 'DEVICE_FAMILY_HELD' : error;
}

function outcome(
  devices: readonly VectorRecord[],
  verb: Verb,
  address: string,
  instance: string | null,
): ExpectedOp {
  const live = devices.filter(({ status }) => status !== 'removed' && status !== 'deleted');
  const state = live.map((device) => ({ version: 1, value: recordOf(device) }));
  const ledger = new Ledger(
    { poolKeys: () => null },
    { devices: state, claims: [], operations: [], fence: 0 },
  );
  const draft = new Draft(ledger);
  const removed = new Set<string>();
  let failure: { readonly error: string } | null = null;
  const freed: string[] = [];
  try {
    const record = draft.device(idOf(address));
    if (record === null) throw new VdpaError('DEVICE_NOT_FOUND', `${address} is not tracked`);
    const family = draft.family(record);
    const holder = { claimId: null, instance: instance as InstanceId, requestId: null };
    if (verb === 'claim') draft.apply(claimDevice(family, holder));
    else if (verb === 'allocate') draft.apply(allocateDevice(family, holder));
    else if (verb === 'free') {
      const transitions = freeDevice(family, 1, instance as InstanceId | null);
      draft.apply(transitions);
      freed.push(...transitions.map(({ after }) => after.device.address ?? ''));
    } else {
      assertForgettable(record);
      removed.add(address);
    }
  } catch (error) {
    if (!(error instanceof VdpaError)) throw error;
    failure = { error: errorNames[error.code] ?? error.code };
  }
  const devs = devices.map((device): readonly [string, string | null] => {
    const record = draft.device(idOf(device.address));
    if (removed.has(device.address)) return ['removed', null];
    return record === null
      ? [device.status, device.instance_uuid]
      : [record.status, record.instance];
  });
  return { ...failure, ...(freed.length > 0 && { freed: freed.sort() }), devs };
}

const idOf = (address: string): DeviceId => `pci/${address}` as DeviceId;

function recordOf(device: VectorRecord): DeviceRecord {
  const parent = device.parent_addr as PciAddress | null;
  return {
    device: {
      id: idOf(device.address),
      type: device.dev_type,
      address: device.address as PciAddress,
      vendorId: device.vendor_id,
      productId: device.product_id,
      numaNode: device.numa_node,
      parentAddress: parent,
      extra: {},
      vdpa: null,
      reasons: [],
    },
    home: parent,
    status: device.status as DeviceStatus,
    claimId: null,
    instance: device.instance_uuid as InstanceId | null,
    requestId: null,
    pending: null,
    vanished: false,
    released: 0,
  };
}
