import { VdpaError } from '../errors.js';
import { isDeviceMac } from '../host/mac-address.js';
import type { DeviceRequest, PortId, RequestId, RequestSpec } from './device-request.js';
import { type NumaPolicy, parseNumaPolicy } from './numa-policy.js';
import { truth } from './truth.js';
import { fieldsOf, shown } from './written.js';

/** What a request for devices reads of a neutron port. Other keys are left alone. */
export interface NeutronPort {
  /** Absent while the port has not been made. */
  readonly id?: string | null | undefined;
  readonly network_id: string;
  /** Default `normal`, which needs no device. */
  readonly 'binding:vnic_type'?: string | null | undefined;
  readonly 'binding:profile'?: Readonly<Record<string, unknown>> | null | undefined;
  readonly numa_affinity_policy?: string | null | undefined;
  /** What the guest's interface is to have. Default: the device's own. */
  readonly mac_address?: string | null | undefined;
}

/** One segment of a network, or a network that has one. */
export interface NeutronSegment {
  readonly 'provider:physical_network'?: string | null | undefined;
  readonly 'provider:network_type'?: string | null | undefined;
}

/** What a request for devices reads of a neutron network. Other keys are left alone. */
export interface NeutronNetwork extends NeutronSegment {
  readonly id: string;
  readonly segments?: readonly NeutronSegment[] | null | undefined;
}

export interface RequestOptions {
  /** The instance's own, of its flavor or image (`instanceNumaPolicy`). Default: none. */
  readonly numaPolicy?: NumaPolicy | null | undefined;
  /** Default: a random UUID each. */
  readonly newRequestId?: (() => string) | undefined;
}

export interface PortRequests {
  readonly requests: readonly DeviceRequest[];
  /** For each port, in order; null when it needs no device. */
  readonly requestOfPort: readonly (DeviceRequest | null)[];
  /** Physical networks of all ports, sorted. */
  readonly physnets: readonly string[];
  /** Whether any port's network is a tunnel. */
  readonly tunneled: boolean;
}

/** The global loads node's cryptography when it is first used; importing that takes as long as all the rest. */
export const randomRequestId = (): string => crypto.randomUUID();

/** The kinds of port that need a device, by the type that the device must have; null: any type. */
const deviceTypes: ReadonlyMap<string, string | null> = new Map([
  ['direct', null],
  ['macvtap', null],
  ['direct-physical', 'type-PF'],
  ['virtio-forwarder', null],
  ['vdpa', 'vdpa'],
  ['remote-managed', null],
]);

const tunnels: ReadonlySet<string> = new Set(['vxlan', 'gre', 'geneve']);

/**
 * The requests for devices that an instance's neutron ports stand for.
 *
 * @param networks all that the ports are of
 * @throws {VdpaError} REQUEST_INVALID, NUMA_POLICY_INVALID
 */
export function portRequests(
  ports: readonly NeutronPort[],
  networks: readonly NeutronNetwork[],
  { numaPolicy = null, newRequestId = randomRequestId }: RequestOptions = {},
): PortRequests {
  const known = new Map(networks.map((network) => [network.id, network]));
  const physnets = new Set<string>();
  let tunneled = false;
  const requestOfPort = ports.map((port, index): DeviceRequest | null => {
    const place = `port ${port.id ?? index}`;
    const network = known.get(port.network_id);
    if (network === undefined) {
      throw invalid(`${place}: its network ${shown(port.network_id)} is not among those given`);
    }
    const link = linkOf(network);
    if (link.physnet !== null) physnets.add(link.physnet);
    tunneled ||= link.tunneled;
    const vnicType = port['binding:vnic_type'] ?? 'normal';
    const deviceType = deviceTypes.get(vnicType);
    if (deviceType === undefined) return null;
    return {
      requestId: newRequestId() as RequestId,
      count: 1,
      spec: [specOf(port, place, vnicType, deviceType, link.physnet)],
      numaPolicy: parseNumaPolicy(port.numa_affinity_policy, place) ?? numaPolicy,
      alias: null,
      portId: (port.id ?? null) as PortId | null,
      ...macOf(port, place, vnicType),
    };
  });
  return {
    requests: requestOfPort.filter((request) => request !== null),
    requestOfPort,
    physnets: [...physnets].toSorted(),
    tunneled,
  };
}

/** Only a vDPA device is given the port's MAC by whoever attaches it. */
function macOf(
  { mac_address: mac }: NeutronPort,
  place: string,
  vnicType: string,
): Pick<DeviceRequest, 'mac'> {
  if (vnicType !== 'vdpa' || mac === undefined || mac === null) return {};
  const own = typeof mac === 'string' ? mac.toLowerCase() : '';
  if (!isDeviceMac(own)) {
    throw invalid(`${place}: its mac_address is no unicast address but ${shown(mac)}`);
  }
  return { mac: own };
}

function specOf(
  port: NeutronPort,
  place: string,
  vnicType: string,
  deviceType: string | null,
  physnet: string | null,
): RequestSpec {
  const profile = port['binding:profile'] ?? {};
  if (fieldsOf(profile) === null) {
    throw invalid(`${place}: its binding:profile is no object but ${shown(profile)}`);
  }
  const trusted = Object.hasOwn(profile, 'trusted') ? profile['trusted'] : undefined;
  return {
    // Null: only a device that is tagged with no network will do.
    physical_network: physnet,
    remote_managed: vnicType === 'remote-managed' ? 'True' : 'False',
    ...(deviceType !== null && { dev_type: deviceType }),
    ...(trusted !== undefined &&
      trusted !== null && { trusted: truth(String(trusted)) ? 'True' : 'False' }),
  };
}

/** Of several segments it is the first with a physical network that devices are plugged into. */
function linkOf(network: NeutronNetwork): { physnet: string | null; tunneled: boolean } {
  const segments = network.segments ?? [];
  if (segments.length === 0) {
    return {
      physnet: network['provider:physical_network'] || null,
      tunneled: tunnels.has(network['provider:network_type'] ?? ''),
    };
  }
  for (const segment of segments) {
    const physnet = segment['provider:physical_network'];
    if (physnet) return { physnet, tunneled: false };
  }
  throw invalid(`network ${network.id}: none of its segments has a physical network`);
}

function invalid(message: string): VdpaError {
  return new VdpaError('REQUEST_INVALID', message, { retry: 'never' });
}
