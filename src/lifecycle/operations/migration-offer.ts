import { VdpaError } from '../../errors.js';
import type { BindingProfile } from '../../policy/binding-profile.js';
import type { DeviceRequest, PortId, RequestId } from '../../policy/device-request.js';
import { truth } from '../../policy/truth.js';
import type { Claim, InstanceId, InterfaceSettings, MigrationId } from '../../tracker/claim.js';
import { anything, from, listOf, name, shape } from '../../tracker/form.js';
import { assertRequests } from '../../tracker/own-requests.js';
import { interfaceSettings } from '../../tracker/store-form.js';
import type { Tracker } from '../../tracker/tracker.js';
import { boundPorts } from './bound-ports.js';
import { operationsVersion } from './operation-version.js';
import type { PluggedInterface } from './plugged-interface.js';

/** An interface that a guest is to have at the destination, as it has it at the source. */
export interface OfferedInterface extends InterfaceSettings {
  readonly requestId: RequestId;
  /** Which of the request's devices, from 0. */
  readonly index: number;
}

/** What the source tells the destination of an instance: JSON, for the agent to send. */
export interface MigrationOffer {
  /** Of the source's library: `operationsVersion`. */
  readonly version: number;
  readonly instance: InstanceId;
  readonly migration: MigrationId;
  /** For all devices that it has, vDPA or not. */
  readonly requests: readonly DeviceRequest[];
  readonly interfaces: readonly OfferedInterface[];
}

/** What is to be written to neutron for a port that got a device: its binding to a host. */
export interface PreparedPort {
  readonly port: PortId;
  /** `binding:host_id`. */
  readonly host: string;
  /** `binding:profile`. */
  readonly profile: BindingProfile;
  /**
   * - `now`: it is the port's active binding at once
   * - `on-complete`: once the guest has its interfaces here. Until then a binding to this host is inactive;
   *   in a resize on the same host the binding that there is stays as it is
   */
  readonly active: 'now' | 'on-complete';
}

/** What the destination has taken for an instance: JSON, for the agent to send to the source. */
export interface PreparedMigration {
  /** Of the destination's library. */
  readonly version: number;
  readonly instance: InstanceId;
  readonly migration: MigrationId;
  readonly ports: readonly PreparedPort[];
}

export const offeredInterface = shape<OfferedInterface>({
  requestId: name,
  index: from(0),
  ...interfaceSettings,
});

export const offerForm = shape<MigrationOffer>({
  version: from(0),
  instance: name,
  migration: name,
  requests: listOf(anything),
  interfaces: listOf(offeredInterface),
});

export const preparedForm = shape<PreparedMigration>({
  version: from(0),
  instance: name,
  migration: name,
  ports: listOf(anything),
});

/** An instance's own claims, and what its guest has of them, as another host can serve them. */
export function migrationOffer(
  tracker: Tracker,
  instance: InstanceId,
  migration: MigrationId,
  interfaces: readonly PluggedInterface[],
): MigrationOffer {
  const claims = tracker.claims(instance).filter((claim) => claim.migration === null);
  return {
    version: operationsVersion,
    instance,
    migration,
    // Devices that were named are this host's, and those that were released nobody's.
    requests: claims.flatMap(({ requests, devices }) =>
      requests.flatMap(({ deviceIds: _, ...request }) => {
        const count = devices.filter(({ requestId }) => requestId === request.requestId).length;
        return count === 0 ? [] : [{ ...request, count }];
      }),
    ),
    interfaces: interfaces.flatMap(({ claim, device, queuePairs, mtu }) => {
      const devices = tracker.claimOf(claim)?.devices ?? [];
      const own = devices.find(({ deviceId }) => deviceId === device);
      if (own === undefined) return [];
      const { requestId } = own;
      const index = devices
        .filter((one) => one.requestId === requestId)
        .findIndex(({ deviceId }) => deviceId === device);
      return [{ requestId, index, queuePairs, mtu }];
    }),
  };
}

/** What the guest is to have of the destination's claim. */
export function interfacesOf(
  claim: Claim,
  offered: readonly OfferedInterface[],
): PluggedInterface[] {
  return offered.flatMap(({ requestId, index, queuePairs, mtu }) => {
    const own = claim.devices.filter((one) => one.requestId === requestId)[index];
    return own === undefined ? [] : [{ claim: claim.id, device: own.deviceId, queuePairs, mtu }];
  });
}

/**
 * Sees that the instance still has the ports that the destination has prepared for.
 *
 * @throws {VdpaError} `PORT_CHANGED`
 */
export function assertAsPrepared(tracker: Tracker, { instance, ports }: PreparedMigration): void {
  const words = (ids: Iterable<PortId>): string => [...ids].sort().join(', ') || 'none';
  const now = boundPorts(tracker, instance).keys();
  const [own, wanted] = [words(now), words(new Set(ports.map(({ port }) => port)))];
  if (own === wanted) return;
  throw new VdpaError(
    'PORT_CHANGED',
    `instance ${instance} has ports ${own} now, and its destination is prepared for ${wanted}: abort there, and offer it anew`,
    { retry: 'after-fix' },
  );
}

/**
 * @throws {TypeError} for requests that are none
 * @throws {VdpaError} `NOT_SUPPORTED` for a device that is to stay with its host
 */
export function assertMigratable({ instance, requests }: MigrationOffer): void {
  assertRequests(requests);
  for (const { requestId, portId, alias, spec } of requests) {
    const isMigratable = spec.every((one) => truth(one['live_migratable'] ?? '') === true);
    if (portId != null || isMigratable) continue;
    throw new VdpaError(
      'NOT_SUPPORTED',
      `instance ${instance}, request ${requestId}: this request does not explicitly request live-migratable devices: set live_migratable in ${alias == null ? 'it' : `alias ${alias}`}`,
      { retry: 'after-fix' },
    );
  }
}
