import { z } from 'zod';
import type { DeviceRequest } from '../policy/device-request.js';
import { numaPolicies } from '../policy/numa-policy.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import type { Claim } from './claim.js';
import type { DeviceRecord } from './device-record.js';

// What a stored document must be, so that nonsense is refused and not worked with. Further keys are
// let be. Whoever adds a key to a document gets an error here until it is checked as well.

type Shape<T> = { readonly [Key in keyof Required<T>]: z.ZodType };

const text = z.string();
const name = z.string().min(1);
const whole = z.int().min(0);

const reportedDevice = z.looseObject({
  id: name,
  type: z.enum(['type-PCI', 'type-PF', 'type-VF', 'vdpa']),
  address: name.nullable(),
  vendorId: text,
  productId: text,
  numaNode: z.int().nullable(),
  parentAddress: name.nullable(),
  extra: z.record(text, text),
  vdpa: z.looseObject({ name, charDevice: name.nullable() }).nullable(),
  reasons: z.array(text),
} satisfies Shape<ReportedDevice>);

const deviceRecord = z
  .looseObject({
    device: reportedDevice,
    home: name.nullable(),
    status: z.enum(['available', 'claimed', 'allocated', 'unclaimable', 'unavailable']),
    claimId: name.nullable(),
    instance: name.nullable(),
    requestId: name.nullable(),
    pending: reportedDevice.nullable(),
    vanished: z.boolean(),
    released: whole,
  } satisfies Shape<DeviceRecord>)
  .refine(
    ({ status, claimId }) =>
      (status === 'claimed' || status === 'allocated') === (claimId !== null),
    { error: 'has a claim exactly when it is claimed or allocated', path: ['claimId'] },
  );

const deviceRequest = z.looseObject({
  requestId: name,
  count: z.int().min(1),
  spec: z.array(z.record(text, text.nullable())),
  numaPolicy: z.enum(numaPolicies).nullable(),
  alias: text.nullable(),
  portId: name.nullable(),
  deviceIds: z.array(name).optional(),
} satisfies Shape<DeviceRequest>);

const claim = z.looseObject({
  id: name,
  fence: z.int().min(1),
  instance: name,
  migration: name.nullable(),
  status: z.enum(['claimed', 'allocated']),
  requests: z.array(deviceRequest),
  numaCells: z.array(whole).nullable(),
  devices: z.array(z.looseObject({ deviceId: name, requestId: name })),
} satisfies Shape<Claim>);

/** A document that is not what it should be; its message says which, and where it is wrong. */
export class MalformedDocument extends Error {
  override readonly name = 'MalformedDocument';
}

/** @throws {MalformedDocument} */
export function readDeviceRecord(id: string, body: string): DeviceRecord {
  const record = parsed<DeviceRecord>(deviceRecord, `device ${id}`, body);
  assertOwnId(`device ${id}`, id, record.device.id);
  return record;
}

/** @throws {MalformedDocument} */
export function readClaim(id: string, body: string): Claim {
  const value = parsed<Claim>(claim, `claim ${id}`, body);
  assertOwnId(`claim ${id}`, id, value.id);
  return value;
}

function parsed<T>(form: z.ZodType, what: string, body: string): T {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new MalformedDocument(`${what} is no JSON`, { cause: error });
  }
  const { error } = form.safeParse(value);
  if (error === undefined) return value as T;
  const [issue] = error.issues;
  throw new MalformedDocument(`${what}: ${issue?.path.join('.')}: ${issue?.message}`);
}

function assertOwnId(what: string, stored: string, own: string): void {
  if (stored !== own) throw new MalformedDocument(`${what} calls itself ${own}`);
}
