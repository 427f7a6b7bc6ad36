import type { DeviceRequest } from '../policy/device-request.js';
import { numaPolicies } from '../policy/numa-policy.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import type { Claim, ClaimedDevice } from './claim.js';
import type { DeviceRecord } from './device-record.js';

// What a stored document must be, so that nonsense is refused and not worked with. Further keys are
// let be. Whoever adds a key to a document gets an error here until it is checked as well. By hand,
// as every command that opens a store would wait longer for a library than for all else.

/** What is wrong with a value, after the path to it: `device.id: is no text`. Null: nothing. */
type Check = (value: unknown) => string | null;
type Shape<T> = { readonly [Key in keyof Required<T>]: Check };

const that =
  (holds: (value: unknown) => boolean, wrong: string): Check =>
  (value) =>
    holds(value) ? null : `: ${wrong}`;

const text = that((value) => typeof value === 'string', 'is no text');
const name = that((value) => typeof value === 'string' && value !== '', 'is no name');
const boolean = that((value) => typeof value === 'boolean', 'is neither true nor false');
const from = (least: number): Check =>
  that(
    (value) => Number.isSafeInteger(value) && Number(value) >= least,
    `is no number from ${least}`,
  );
const whole = from(0);
const oneOf = (...words: readonly string[]): Check =>
  that((value) => words.some((word) => word === value), `is none of ${words.join(', ')}`);
const nullable =
  (check: Check): Check =>
  (value) =>
    value === null ? null : check(value);
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined ? null : check(value);

const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) ? firstWrong(value.entries(), check) : ': is no list';

const mapOf =
  (check: Check): Check =>
  (value) =>
    isObject(value) ? firstWrong(Object.entries(value), check) : ': is no object';

function shape<T>(checks: Shape<T>): Check {
  const entries = Object.entries<Check>(checks);
  return (value) => {
    if (!isObject(value)) return ': is no object';
    for (const [key, check] of entries) {
      const wrong = check(value[key]);
      if (wrong !== null) return `.${key}${wrong}`;
    }
    return null;
  };
}

function firstWrong(
  entries: Iterable<readonly [string | number, unknown]>,
  check: Check,
): string | null {
  for (const [key, value] of entries) {
    const wrong = check(value);
    if (wrong !== null) return `.${key}${wrong}`;
  }
  return null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

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

const deviceRecord = shape<DeviceRecord>({
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

const deviceRequest = shape<DeviceRequest>({
  requestId: name,
  count: from(1),
  spec: listOf(mapOf(nullable(text))),
  numaPolicy: nullable(oneOf(...numaPolicies)),
  alias: nullable(text),
  portId: nullable(name),
  mac: optional(name),
  deviceIds: optional(listOf(name)),
});

const claim = shape<Claim>({
  id: name,
  fence: from(1),
  instance: name,
  migration: nullable(name),
  status: oneOf('claimed', 'allocated'),
  requests: listOf(deviceRequest),
  numaCells: nullable(listOf(whole)),
  devices: listOf(shape<ClaimedDevice>({ deviceId: name, requestId: name })),
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

function parsed<T>(check: Check, what: string, body: string): T {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch (error) {
    throw new MalformedDocument(`${what} is no JSON`, { cause: error });
  }
  const wrong = check(value);
  if (wrong !== null) throw new MalformedDocument(`${what}: ${wrong.replace(/^(\.|: )/, '')}`);
  return value as T;
}

function assertOwnId(what: string, stored: string, own: string): void {
  if (stored !== own) throw new MalformedDocument(`${what} calls itself ${own}`);
}
