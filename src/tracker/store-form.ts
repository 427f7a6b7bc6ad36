import { isDeviceMac } from '../host/mac-address.js';
import { mtuRange } from '../host/net-limits.js';
import type { DeviceRequest } from '../policy/device-request.js';
import { numaPolicies } from '../policy/numa-policy.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import type { Claim, ClaimedDevice, InterfaceSettings } from './claim.js';
import type { DeviceRecord } from './device-record.js';
import {
  anything,
  boolean,
  type Check,
  from,
  listOf,
  mapOf,
  name,
  nullable,
  oneOf,
  optional,
  type Shape,
  shape,
  text,
  that,
  wrongIn,
} from './form.js';
import type { Operation } from './operation.js';

// What a document must be, so that nonsense is refused and not worked with: none is stored that has
// another form, and of what is read further keys are let be.

const whole = from(0);

const reportedDevice = shape<ReportedDevice>({
  id: name,
  type: oneOf('type-PCI', 'type-PF', 'type-VF', 'vdpa'),
  address: nullable(name),
  vendorId: text,
  productId: text,
  numaNode: nullable(that(Number.isSafeInteger, 'is no whole number')),
  parentAddress: nullable(name),
  extra: mapOf(text),
  vdpa: nullable(shape({ name, charDevice: nullable(name) })),
  reasons: listOf(text),
});

export const deviceRecord = shape<DeviceRecord>({
  device: reportedDevice,
  home: nullable(name),
  status: oneOf('available', 'claimed', 'allocated', 'unclaimable', 'unavailable'),
  claimId: nullable(name),
  instance: nullable(name),
  requestId: nullable(name),
  pending: nullable(reportedDevice),
  vanished: boolean,
  released: whole,
});

export const numaCells = nullable(listOf(whole));

export const deviceRequest: Shape<DeviceRequest> = {
  requestId: name,
  count: from(1),
  spec: listOf(mapOf(nullable(text))),
  numaPolicy: nullable(oneOf(...numaPolicies)),
  alias: nullable(text),
  portId: nullable(name),
  mac: optional(that((value) => isDeviceMac(value) && value === value.toLowerCase(), 'is no MAC')),
  deviceIds: optional(listOf(name)),
};

export const interfaceSettings: Shape<InterfaceSettings> = {
  queuePairs: from(1),
  mtu: nullable(from(mtuRange.least)),
};

const claim = shape<Claim>({
  id: name,
  fence: from(1),
  instance: name,
  migration: nullable(name),
  status: oneOf('claimed', 'allocated'),
  requests: listOf(shape(deviceRequest)),
  numaCells,
  guest: nullable(name),
  devices: listOf(
    shape<ClaimedDevice>({
      deviceId: name,
      requestId: name,
      settings: optional(shape<InterfaceSettings>(interfaceSettings)),
    }),
  ),
});

export const operation = shape<Operation>({
  instance: name,
  kind: name,
  step: name,
  detail: mapOf(anything),
});

/** A document that is not what it should be; its message says which, and where it is wrong. */
export class MalformedDocument extends Error {
  override readonly name = 'MalformedDocument';
}

/** @throws {MalformedDocument} */
export function readDeviceRecord(id: string, body: string): DeviceRecord {
  const record = parsed<DeviceRecord>(deviceRecord, `device ${id}`, body);
  assertOwnId(`device ${id}`, id, record.device.id);
  const taken = record.status === 'claimed' || record.status === 'allocated';
  if (taken !== (record.claimId !== null)) {
    throw new MalformedDocument(`device ${id} is ${record.status} with claim ${record.claimId}`);
  }
  return record;
}

/** @throws {MalformedDocument} */
export function readClaim(id: string, body: string): Claim {
  const value = parsed<Claim>(claim, `claim ${id}`, body);
  assertOwnId(`claim ${id}`, id, value.id);
  return value;
}

/** @throws {MalformedDocument} */
export function readOperation(id: string, body: string): Operation {
  const value = parsed<Operation>(operation, `the operation of instance ${id}`, body);
  assertOwnId(`the operation of instance ${id}`, id, value.instance);
  return value;
}

function parsed<T>(check: Check, what: string, body: string): T {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new MalformedDocument(`${what} is no JSON`, { cause: error });
  }
  const wrong = wrongIn(check, value, false);
  if (wrong !== null) throw new MalformedDocument(`${what}: ${wrong}`);
  return value as T;
}

function assertOwnId(what: string, stored: string, own: string): void {
  if (stored !== own) throw new MalformedDocument(`${what} calls itself ${own}`);
}
