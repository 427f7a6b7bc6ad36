import type { DeviceId } from '../host/device-id.js';
import type { HostCell } from '../host/host-cells.js';
import type { DeviceRequest } from '../policy/device-request.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import type { ClaimId, InstanceId, InterfaceSettings, MigrationId } from './claim.js';
import type { Decision } from './decision.js';
import {
  abortSignal,
  boolean,
  type Check,
  from,
  listOf,
  name,
  nullable,
  optional,
  type Shape,
  shape,
  that,
  wrongIn,
} from './form.js';
import type { Operation } from './operation.js';
import type { Living, LivingMigration } from './orphans.js';
import { deviceRecord, interfaceSettings, numaCells, operation } from './store-form.js';

// What the tracker is called with, as programs without types call it too: what is none of it would be
// stored and could not be read again, or be taken for a wish that nobody had.

/** The host's side of a sync. */
export interface HostReport {
  /** All devices that some device_spec entry admits. */
  readonly devices: readonly ReportedDevice[];
  /** The host's NUMA nodes; null when they are not known. */
  readonly cells: readonly HostCell[] | null;
}

export interface ClaimArguments {
  /** Names the claim, for asking again when the answer was lost; made up when absent. */
  readonly id?: ClaimId | undefined;
  readonly instance: InstanceId;
  /** May be none: an instance that needs no device. */
  readonly requests: readonly DeviceRequest[];
  /** The guest's NUMA nodes, by number of the host's; null or empty when it has no topology. */
  readonly numaCells?: readonly number[] | null | undefined;
  /** The migration that it is made for. */
  readonly migration?: MigrationId | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Which claims a call is about. */
export type ClaimSelection =
  /** `fence`: refused unless it is the claim's. */
  | { readonly claim: ClaimId; readonly fence?: number | undefined }
  /** All of an instance; with `migration` only those of that migration, with null only its own. */
  | { readonly instance: InstanceId; readonly migration?: MigrationId | null | undefined };

/** A claim's device, and what its guest is told of it. */
export interface GivenInterface {
  readonly deviceId: DeviceId;
  /** Null: it has been in no guest. */
  readonly settings: InterfaceSettings | null;
}

interface ReleaseOptions {
  /** Also what a guest may still have, and what an operation is about. */
  readonly force?: boolean | undefined;
  /** The operation of the instance that this is a part of, by its kind. Default: none. */
  readonly operation?: string | undefined;
}

/** What is given back. */
export type ReleaseSelection = ReleaseOptions &
  (
    | (ClaimSelection & {
        /** Only those of them. */
        readonly devices?: readonly DeviceId[] | undefined;
      })
    /** One device, whoever has it. */
    | { readonly device: DeviceId }
  );

const list = that(Array.isArray, 'is no list');

const claimArguments = shape<ClaimArguments>({
  id: optional(name),
  instance: name,
  // Looked at by `assertRequests`.
  requests: list,
  numaCells: optional(numaCells),
  migration: optional(nullable(name)),
  signal: optional(abortSignal),
});

type By<Key extends string> = Extract<ReleaseSelection, { readonly [_ in Key]: unknown }>;
type Choice<Key extends string> = Omit<By<Key>, 'devices' | 'force' | 'operation'>;

const byClaim: Shape<Choice<'claim'>> = { claim: name, fence: optional(from(0)) };
const byInstance: Shape<Choice<'instance'>> = {
  instance: name,
  migration: optional(nullable(name)),
};
const devices = optional(listOf(name));
const partOf = { force: optional(boolean), operation: optional(name) };

const selections = { claim: shape(byClaim), instance: shape(byInstance) };
const releases = {
  device: shape<By<'device'>>({ device: name, ...partOf }),
  claim: shape<By<'claim'>>({ ...byClaim, devices, ...partOf }),
  instance: shape<By<'instance'>>({ ...byInstance, devices, ...partOf }),
};

const givenInterfaces = listOf(
  shape<GivenInterface>({ deviceId: name, settings: nullable(shape(interfaceSettings)) }),
);

const living = shape<Living>({
  instances: listOf(name),
  migrations: optional(listOf(shape<LivingMigration>({ id: nullable(name), instance: name }))),
  asOf: optional(from(0)),
});

const hostReport = shape<HostReport>({
  // Each is looked at when it is new.
  devices: list,
  cells: nullable(
    listOf(
      shape<HostCell>({
        id: from(0),
        socket: nullable(that(Number.isSafeInteger, 'is no whole number')),
      }),
    ),
  ),
});

/** @throws {TypeError} saying what is wrong with which key */
export function assertClaimArguments(given: ClaimArguments): void {
  assertForm('claim', claimArguments, given);
}

/** Of the cells; requests are looked at by `assertRequests`. @throws {TypeError} */
export function assertCells(cells: ClaimArguments['numaCells']): void {
  assertForm('numaCells', optional(numaCells), cells);
}

/** @throws {TypeError} */
export function assertClaimSelection(given: ClaimSelection): void {
  assertForm('allocate', chosen(given, selections), given);
}

/** @throws {TypeError} */
export function assertGuest(given: string | null, interfaces: readonly GivenInterface[]): void {
  assertForm('guest', nullable(name), given);
  assertForm('interfaces', givenInterfaces, interfaces);
}

/** @throws {TypeError} */
export function assertOperation(instance: InstanceId, given: Operation | null): void {
  assertForm('setOperation', nullable(operation), given);
  if (given !== null && given.instance !== instance) {
    throw new TypeError(`setOperation: .instance: is not ${instance}`);
  }
}

/** @throws {TypeError} */
export function assertReleaseSelection(given: ReleaseSelection): void {
  assertForm('release', chosen(given, releases), given);
}

/** Who is in none of the lists loses everything: they are lists, and of ids. @throws {TypeError} */
export function assertLiving(given: Living): void {
  assertForm('living', living, given);
}

/** That it is one; of its devices those that are new or changed are looked at by `assertReported`. */
export function assertHostReport(given: HostReport): void {
  assertForm('sync', hostReport, given);
}

/** That the devices which a report brings are such. @throws {TypeError} */
export function assertReported({ devices }: Decision): void {
  for (const { id, after } of devices) {
    if (after !== null) assertForm(`sync: ${id}`, deviceRecord, after.value);
  }
}

/** The form of the kind that a selection is, by its key. */
function chosen(given: object, kinds: Readonly<Record<string, Check>>): Check {
  for (const [key, form] of Object.entries(kinds)) {
    if (typeof given === 'object' && given !== null && key in given) return form;
  }
  return () => `: names neither ${Object.keys(kinds).join(' nor ')}`;
}

/** @throws {TypeError} naming the call, and the key that is unknown or has the wrong form */
export function assertForm(call: string, form: Check, given: unknown): void {
  const wrong = wrongIn(form, given, true);
  if (wrong !== null) throw new TypeError(`${call}: ${wrong}`);
}
