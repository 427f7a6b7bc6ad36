import { VdpaError } from '../../errors.js';
import type { DeviceRequest, PortId } from '../../policy/device-request.js';
import { type NeutronNetwork, type NeutronPort, portRequests } from '../../policy/port-requests.js';
import type { InstanceId } from '../../tracker/claim.js';
import type { Tracker } from '../../tracker/tracker.js';

/**
 * Sees that neutron has the ports of an instance as its devices were claimed for them. Ports that it has
 * no device for are left alone.
 *
 * @throws {VdpaError} `PORT_CHANGED` for the first that is another now, `REQUEST_INVALID`,
 *   `NUMA_POLICY_INVALID`
 */
export function assertPortsAsBound(
  tracker: Tracker,
  instance: InstanceId,
  ports: readonly NeutronPort[],
  networks: readonly NeutronNetwork[],
): void {
  const bound = boundPorts(tracker, instance);
  for (const port of ports) {
    const before = bound.get(port.id as PortId);
    if (before === undefined || port.id == null) continue;
    const [now = null] = portRequests([port], networks).requestOfPort;
    const changes = now === null ? [needsNone(port)] : changesOf(before, now);
    if (changes.length > 0) throw changed(instance, port.id, changes);
  }
}

/** Ports for which an instance has devices of its own, by what these were claimed for. */
export function boundPorts(
  tracker: Tracker,
  instance: InstanceId,
): ReadonlyMap<PortId, DeviceRequest> {
  const bound = new Map<PortId, DeviceRequest>();
  for (const { migration, requests, devices } of tracker.claims(instance)) {
    if (migration !== null) continue;
    const held = new Set(devices.map(({ requestId }) => requestId));
    for (const request of requests) {
      if (request.portId !== null && held.has(request.requestId)) {
        bound.set(request.portId, request);
      }
    }
  }
  return bound;
}

const needsNone = (port: NeutronPort): string =>
  `its binding:vnic_type is ${port['binding:vnic_type'] ?? 'normal'}, which needs no device`;

/** What a claim does not say of its port may be anything. */
function changesOf(before: DeviceRequest, now: DeviceRequest): string[] {
  const [then = {}] = before.spec;
  const [since = {}] = now.spec;
  const words = (value: string | null | undefined): string => value ?? 'none';
  const keys = Object.keys(then).filter((key) => (then[key] ?? null) !== (since[key] ?? null));
  const changes = keys.map((key) => `${key} was ${words(then[key])}, is ${words(since[key])}`);
  const isMoved = before.mac !== undefined && before.mac !== now.mac;
  return isMoved ? [...changes, `mac was ${before.mac}, is ${words(now.mac)}`] : changes;
}

function changed(instance: InstanceId, port: string, changes: readonly string[]): VdpaError {
  return new VdpaError(
    'PORT_CHANGED',
    `port ${port} of instance ${instance} has been changed while it is bound: ${changes.join('; ')}`,
    { retry: 'after-fix' },
  );
}
