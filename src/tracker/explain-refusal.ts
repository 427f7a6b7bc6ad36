import type { DeviceId } from '../host/device-id.js';
import type { DeviceRequest } from '../policy/device-request.js';
import type { Offer } from './assignment.js';
import type { Ledger } from './ledger.js';
import type { Pool } from './pool.js';
import { askedFor, isInReach } from './pool-filter.js';

/** Why there are no devices for the requests, for whoever has to find out. */
export function explainRefusal(
  requests: readonly DeviceRequest[],
  offer: Offer,
  ledger: Ledger,
): string {
  const describe = requests.length > 1 ? named : kindOf;
  const reasons = requests.flatMap((request) =>
    shortage(request, describe(request), offer, ledger),
  );
  return reasons.length > 0
    ? reasons.join('; ')
    : `the ${requests.length} requests cannot be served together: each alone could be`;
}

function shortage(request: DeviceRequest, what: string, offer: Offer, ledger: Ledger): string[] {
  const isAskedFor = askedFor(request);
  for (const id of request.deviceIds ?? []) {
    const record = offer.devices.record(id);
    const pool = offer.devices.poolOf(id);
    if (record === undefined) return [`${what}: ${id} is not tracked`];
    if (pool === undefined) return [`${what}: ${id} is not to be had: ${whyNot(id, ledger)}`];
    if (!isAskedFor(pool)) return [`${what}: ${id} is another kind of device`];
    if (!isInReach(pool, request, offer.numa)) {
      return [`${what}: ${id} is on NUMA node ${nodeOf(pool)}`];
    }
  }
  const asked = offer.devices.pools.filter((pool) => isAskedFor(pool));
  const near = asked.filter((pool) => isInReach(pool, request, offer.numa));
  if (countOf(near) >= request.count) return [];
  if (countOf(asked) < request.count) {
    return [`${what}: ${countOf(asked)} of ${request.count} to be had`];
  }
  const nodes = [...new Set(asked.filter((pool) => !near.includes(pool)).map(nodeOf))].join(', ');
  return [
    `${what}: ${countOf(near)} of ${request.count} near the guest's NUMA nodes ` +
      `${(offer.numa.guest ?? []).join(', ')} (policy ${request.numaPolicy ?? 'legacy'}); others are on ${nodes}`,
  ];
}

/** To be told from the other requests; ids are made up as a rule, and say nothing to anybody alone. */
function named(request: DeviceRequest): string {
  const { requestId, alias, portId } = request;
  const whose = alias !== null || portId !== null ? '' : `request ${requestId}, `;
  return `${whose}${kindOf(request)}`;
}

function kindOf({ spec, alias, portId }: DeviceRequest): string {
  const kinds = spec.map((one) =>
    Object.entries(one)
      .map(([key, value]) => `${key}=${value ?? '(none)'}`)
      .join(' '),
  );
  const whose = alias !== null ? `alias ${alias}, ` : portId !== null ? `port ${portId}, ` : '';
  return `${whose}devices with ${kinds.join(' or ')}`;
}

function whyNot(id: DeviceId, ledger: Ledger): string {
  const record = ledger.record(id);
  if (record === undefined) return 'not tracked';
  if (record.vanished) return 'the host no longer has it';
  if (record.device.reasons.length > 0) return record.device.reasons.join(', ');
  if (record.status !== 'available') return `it is ${record.status}`;
  return ledger.admits(record.device)
    ? 'it is being given back, or a VF of it is'
    : 'no device_spec entry admits it';
}

const nodeOf = (pool: Pool): string => String(pool.keys['numa_node'] ?? 'unknown');

const countOf = (pools: readonly Pool[]): number =>
  pools.reduce((sum, { count }) => sum + count, 0);
