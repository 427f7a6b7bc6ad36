import { z } from 'zod';
import { VdpaError } from '../errors.js';
import { mostQueuePairs } from '../guest/guest-interface.js';
import type { DeviceId } from '../host/device-id.js';
import { mtuRange } from '../host/net-limits.js';
import { parsed } from '../parsed.js';
import type { DeviceRequest, PortId, RequestId, RequestSpec } from '../policy/device-request.js';
import { numaPolicies } from '../policy/numa-policy.js';
import type { ClaimId, InstanceId, MigrationId } from '../tracker/claim.js';
import type { ClaimDesk } from './claim-desk.js';
import type { AttachCall, DetachCall, GuestDesk } from './guest-desk.js';
import { parseGuestReference } from './guest-reference.js';
import { protocolError } from './owner-protocol.js';

/** Who is asked. */
export interface ServedDesk {
  readonly claims: ClaimDesk;
  readonly guests: GuestDesk | null;
}

/** Of the peer who asks. */
export interface DeskCallOptions {
  readonly signal: AbortSignal;
  onStep(what: string): void;
}

/** A call whose arguments are known to have their form. */
export type DeskCall = (desk: ServedDesk, options: DeskCallOptions) => Promise<unknown>;

function name<Name extends string>() {
  return z.custom<Name>((value) => typeof value === 'string' && value !== '', 'expected a name');
}

const deviceId = name<DeviceId>();
const claimId = name<ClaimId>();
const instanceId = name<InstanceId>();
const migrationId = name<MigrationId>();

/** Zod's records leave `__proto__` out, and a request with fewer keys asks for more devices. */
function isSpec(value: unknown): value is RequestSpec {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.values(value).every((text) => text === null || typeof text === 'string');
}

const request = z.strictObject({
  requestId: name<RequestId>(),
  count: z.int().min(1),
  spec: z
    .array(z.custom<RequestSpec>(isSpec, 'expected an object whose values are texts or null'))
    .min(1),
  numaPolicy: z.enum(numaPolicies).nullable().default(null),
  alias: z.string().nullable().default(null),
  portId: name<PortId>().nullable().default(null),
  mac: z.string().min(1).optional(),
  deviceIds: z.array(deviceId).optional(),
} satisfies Record<keyof DeviceRequest, z.ZodType>);
const requests = z.array(request);
const numaCells = z.array(z.int().min(0)).nullable().optional();

const claim = z.strictObject({
  id: claimId.optional(),
  instance: instanceId,
  requests,
  numaCells,
  migration: migrationId.nullable().optional(),
});
const wanted = z.strictObject({ requests, numaCells });

const byClaim = z.strictObject({ claim: claimId, fence: z.int().min(0).optional() });
const byInstance = z.strictObject({
  instance: instanceId,
  migration: migrationId.nullable().optional(),
});
const devices = z.array(deviceId).optional();
const force = z.boolean().optional();
const releaseByClaim = byClaim.extend({ devices, force });
const releaseByInstance = byInstance.extend({ devices, force });
const byDevice = z.strictObject({ device: deviceId, force });

const living = z.strictObject({
  instances: z.array(instanceId),
  migrations: z
    .array(z.strictObject({ id: migrationId.nullable(), instance: instanceId }))
    .optional(),
  asOf: z.int().min(0).optional(),
});
const maybeLiving = z.strictObject({ living: living.nullable().optional() });
const ofInstance = z.strictObject({ instance: instanceId.optional() });
const none = z.strictObject({});

const devicesOf = z.union([
  z.strictObject({ claim: claimId }),
  z.strictObject({ instance: instanceId, port: name<PortId>().optional() }),
]);
const guest = z.string().superRefine((text, context) => {
  try {
    parseGuestReference(text);
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : String(error));
  }
});
const timeoutMs = z.int().min(1).optional();
const attach = z.strictObject({
  devicesOf,
  guest,
  queuePairs: z.int().min(1).max(mostQueuePairs).optional(),
  mtu: z.int().min(mtuRange.least).max(mtuRange.most).optional(),
  timeoutMs,
});
const detach = z.strictObject({
  devicesOf,
  guest: guest.optional(),
  release: z.boolean().optional(),
  timeoutMs,
});

/** What the keys of a selection say it is: one schema, so that its errors name a key. */
function has(key: string, given: unknown): boolean {
  return typeof given === 'object' && given !== null && Object.hasOwn(given, key);
}

const calls: {
  readonly [Verb in keyof (ClaimDesk & GuestDesk)]: (given: unknown) => DeskCall;
} = {
  claim(given) {
    const checked = parsed('claim', claim, given);
    return ({ claims }, { signal }) => claims.claim({ ...checked, signal });
  },
  allocate(given) {
    const schema = has('claim', given) ? byClaim : byInstance;
    const selection = parsed<z.ZodType<Parameters<ClaimDesk['allocate']>[0]>>(
      'allocate',
      schema,
      given,
    );
    return ({ claims }) => claims.allocate(selection);
  },
  release(given) {
    const schema = has('device', given)
      ? byDevice
      : has('claim', given)
        ? releaseByClaim
        : releaseByInstance;
    const selection = parsed<z.ZodType<Parameters<ClaimDesk['release']>[0]>>(
      'release',
      schema,
      given,
    );
    return ({ claims }) => claims.release(selection);
  },
  supports(given) {
    const checked = parsed('supports', wanted, given);
    return ({ claims }) => claims.supports(checked);
  },
  pools(given) {
    parsed('pools', none, given);
    return ({ claims }) => claims.pools();
  },
  records(given) {
    parsed('records', none, given);
    return ({ claims }) => claims.records();
  },
  claims(given) {
    const { instance } = parsed('claims', ofInstance, given);
    return ({ claims }) => claims.claims(instance);
  },
  reconcile(given) {
    const checked = parsed('reconcile', living, given);
    return ({ claims }) => claims.reconcile(checked);
  },
  audit(given) {
    const checked = parsed('audit', maybeLiving, given);
    return ({ claims }) => claims.audit(checked.living);
  },
  heal(given) {
    const checked = parsed('heal', maybeLiving, given);
    return ({ claims }) => claims.heal(checked.living);
  },
  attach(given) {
    const call = parsed<z.ZodType<AttachCall>>('attach', attach, given);
    return (desk, options) => guestsOf(desk).attach({ ...call, ...options });
  },
  detach(given) {
    const call = parsed<z.ZodType<DetachCall>>('detach', detach, given);
    return (desk, options) => guestsOf(desk).detach({ ...call, ...options });
  },
  guests(given) {
    parsed('guests', none, given);
    return (desk, { signal }) => guestsOf(desk).guests({ signal });
  },
};

/** @throws {VdpaError} `NOT_SUPPORTED` */
function guestsOf({ guests }: ServedDesk): GuestDesk {
  if (guests !== null) return guests;
  throw new VdpaError('NOT_SUPPORTED', 'this owner of the store plugs nothing into guests', {
    retry: 'never',
  });
}

/**
 * @param verb a method of `ClaimDesk` or `GuestDesk`
 * @param given its arguments by name
 * @throws {VdpaError} `OWNER_PROTOCOL` when there is no such verb
 * @throws {TypeError} naming every key that is unknown or has the wrong form
 */
export function parseDeskCall(verb: string, given: unknown): DeskCall {
  if (!Object.hasOwn(calls, verb)) {
    throw protocolError(
      `there is no verb ${JSON.stringify(verb.slice(0, 40))}: one of ${Object.keys(calls).join(', ')}`,
    );
  }
  return calls[verb as keyof typeof calls](given);
}
