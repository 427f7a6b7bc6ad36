import type { DeviceId } from '../../host/device-id.js';
import type { Claim } from '../../tracker/claim.js';
import type { DeviceRecord } from '../../tracker/device-record.js';
import type { Operation } from '../../tracker/operation.js';
import { recordsById } from '../documents/claim-documents.js';
import { tableLines } from './rows.js';
import { type Cell, cell, type Terminal } from './terminal.js';
import { counted } from './words.js';

const headings = ['CLAIM', 'INSTANCE', 'STATUS', 'DEVICE', 'NAME', 'CHAR DEVICE'];

/** A row for each device. */
export function claimsLines(
  claims: readonly Claim[],
  records: readonly DeviceRecord[],
  terminal: Terminal,
): string[] {
  if (claims.length === 0) return ['nobody has a device'];
  const byId = recordsById(records);
  return tableLines(
    [
      headings.map((word) => cell(word, 'strong')),
      ...claims.flatMap((claim) => claimRows(claim, byId)),
    ],
    terminal,
  );
}

/** A line for each instance that is in the middle of one. */
export function operationsLines(operations: readonly Operation[], terminal: Terminal): string[] {
  const lines = operations.map(
    ({ instance, kind, step }) => `${instance} is in operation ${kind} (${step})`,
  );
  return tableLines(
    lines.map((line) => [cell(line)]),
    terminal,
  );
}

/** The claim that was made. */
export function claimLines(
  claim: Claim,
  records: readonly DeviceRecord[],
  terminal: Terminal,
): string[] {
  return claimsLines([claim], records, terminal);
}

export function releaseLines(devices: readonly DeviceId[], terminal: Terminal): string[] {
  if (devices.length === 0) return ['nothing to give back'];
  return tableLines(
    [
      [cell(`given back: ${counted(devices.length, 'device')}`)],
      ...devices.map((id) => [cell(`  ${id}`)]),
    ],
    terminal,
  );
}

function claimRows(claim: Claim, records: ReadonlyMap<DeviceId, DeviceRecord>): Cell[][] {
  const { id, instance, migration, status, devices } = claim;
  const whose = migration === null ? instance : `${instance} (migration ${migration})`;
  const head = [cell(id), cell(whose), cell(status)];
  if (devices.length === 0) return [[...head, cell('none', 'faint')]];
  return devices.map(({ deviceId }, index) => {
    const record = records.get(deviceId);
    const vdpa = record?.device.vdpa;
    return [
      ...(index === 0 ? head : head.map(() => cell(''))),
      cell(deviceId),
      record === undefined || record.vanished ? cell('vanished', 'bad') : cell(vdpa?.name ?? '-'),
      cell(vdpa?.charDevice ?? '-'),
    ];
  });
}
