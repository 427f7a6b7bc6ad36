import { type ErrorCode, VdpaError } from '../../src/errors.js';
import type { DeviceRequest } from '../../src/policy/device-request.js';
import type { NumaPolicy } from '../../src/policy/numa-policy.js';
import { PciAliases } from '../../src/policy/pci-aliases.js';
import {
  type NeutronNetwork,
  type NeutronPort,
  portRequests,
} from '../../src/policy/port-requests.js';
import { differences, type RecordedCase } from './cases.js';

interface Input {
  readonly networks?: Readonly<Record<string, { physnet?: string | null; tunneled?: boolean }>>;
  readonly ports?: readonly NeutronPort[];
  readonly aliases?: readonly unknown[];
  readonly flavor?: string | null;
  readonly affinity_policy?: NumaPolicy | null;
}

/** What nova calls them. */
const errors: Partial<Record<ErrorCode, string>> = {
  ALIAS_INVALID: 'PciInvalidAlias',
  ALIAS_UNKNOWN: 'PciRequestAliasNotDefined',
  NUMA_POLICY_INVALID: 'InvalidPCINUMAAffinity',
  REQUEST_INVALID: 'NovaException',
};

export function decideRequest({ case: given, expected }: RecordedCase): readonly string[] {
  const input = given as unknown as Input;
  const numaPolicy = input.affinity_policy ?? null;
  const actual: Record<string, unknown> = {};
  if (input.ports !== undefined) {
    const { requests, requestOfPort, physnets, tunneled } = portRequests(
      input.ports,
      networksOf(input),
      { numaPolicy },
    );
    actual['requests'] = requests.map(asRecorded);
    actual['port_request'] = requestOfPort.map((request) => request && requests.indexOf(request));
    actual['physnets'] = physnets;
    actual['tunneled'] = tunneled;
  }
  if (input.aliases !== undefined) {
    actual['flavor'] = flavorRequests(input.aliases, input.flavor ?? null, numaPolicy);
  }
  return differences(actual, expected);
}

function networksOf({ networks = {} }: Input): NeutronNetwork[] {
  return Object.entries(networks).map(([id, { physnet, tunneled }]) => ({
    id,
    'provider:physical_network': physnet,
    'provider:network_type': tunneled ? 'vxlan' : 'vlan',
  }));
}

/** A flavor without the extra spec asks for nothing, and nova then reads no alias. */
function flavorRequests(
  aliases: readonly unknown[],
  flavor: string | null,
  numaPolicy: NumaPolicy | null,
): unknown {
  if (flavor === null) return [];
  try {
    return PciAliases.parse(aliases).requests(flavor, { numaPolicy }).map(asRecorded);
  } catch (error) {
    if (error instanceof VdpaError && errors[error.code] !== undefined) {
      return { error: errors[error.code] };
    }
    throw error;
  }
}

function asRecorded({ count, spec, numaPolicy, alias, portId }: DeviceRequest): object {
  return {
    count,
    spec,
    source: alias === null ? 'neutron' : 'alias',
    numa_policy: numaPolicy,
    requester_id: portId,
    alias_name: alias,
  };
}
