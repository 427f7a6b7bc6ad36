import type { DeviceId } from '../../host/device-id.js';
import type { HostFinding } from '../../lifecycle/host-audit.js';
import type { Claim } from '../../tracker/claim.js';
import type { DeviceRecord } from '../../tracker/device-record.js';
import type { Operation } from '../../tracker/operation.js';
import type { PoolSummary } from '../../tracker/pool-summary.js';
import { type Document, schemaVersion } from './document.js';

type ClaimJson = ReturnType<typeof claimJson>;

export interface ClaimDocument extends Document<'claim'> {
  readonly claim: ClaimJson;
}

export function claimDocument(claim: Claim, records: readonly DeviceRecord[]): ClaimDocument {
  return { schemaVersion, kind: 'claim', claim: claimJson(claim, recordsById(records)) };
}

export interface ClaimsDocument extends Document<'claims'> {
  readonly claims: readonly ClaimJson[];
  /** How far what is being done with instances has come. */
  readonly operations: readonly Pick<Operation, 'instance' | 'kind' | 'step'>[];
}

export function claimsDocument(
  claims: readonly Claim[],
  records: readonly DeviceRecord[],
  operations: readonly Operation[],
): ClaimsDocument {
  const byId = recordsById(records);
  return {
    schemaVersion,
    kind: 'claims',
    claims: claims.map((claim) => claimJson(claim, byId)),
    operations: operations.map(({ instance, kind, step }) => ({ instance, kind, step })),
  };
}

export interface ReleaseDocument extends Document<'release'> {
  readonly devices: readonly DeviceId[];
}

export function releaseDocument(devices: readonly DeviceId[]): ReleaseDocument {
  return { schemaVersion, kind: 'release', devices };
}

export interface PoolsDocument extends Document<'pools'> {
  readonly pools: readonly {
    readonly keys: PoolSummary['keys'];
    readonly count: number;
    readonly devices: readonly DeviceId[];
  }[];
}

export function poolsDocument(pools: readonly PoolSummary[]): PoolsDocument {
  return {
    schemaVersion,
    kind: 'pools',
    pools: pools.map(({ keys, devices }) => ({
      keys: { ...keys },
      count: devices.length,
      devices,
    })),
  };
}

export interface AuditDocument<Kind extends 'audit' | 'heal'> extends Document<Kind> {
  /** Found; of `heal` what was set right. */
  readonly findings: readonly HostFinding[];
}

export function auditDocument<Kind extends 'audit' | 'heal'>(
  kind: Kind,
  findings: readonly HostFinding[],
): AuditDocument<Kind> {
  return { schemaVersion, kind, findings };
}

/** By the device's id. */
export function recordsById(records: readonly DeviceRecord[]): ReadonlyMap<DeviceId, DeviceRecord> {
  return new Map(records.map((record) => [record.device.id, record]));
}

function claimJson(claim: Claim, records: ReadonlyMap<DeviceId, DeviceRecord>) {
  const { id, fence, instance, migration, status, numaCells, guest, devices, requests } = claim;
  return {
    id,
    fence,
    instance,
    migration,
    status,
    numaCells,
    guest,
    requests: requests.map(({ requestId, count, portId, alias, numaPolicy, mac }) => ({
      requestId,
      count,
      portId,
      alias,
      numaPolicy,
      mac: mac ?? null,
    })),
    devices: devices.map(({ deviceId, requestId, settings = null }) => {
      const record = records.get(deviceId);
      return {
        deviceId,
        requestId,
        name: record?.device.vdpa?.name ?? null,
        charDevice: record?.device.vdpa?.charDevice ?? null,
        vanished: record?.vanished ?? true,
        settings,
      };
    }),
  };
}
