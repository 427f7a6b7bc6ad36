import type { DeviceId } from '../host/device-id.js';
import type { ReportedDevice } from '../policy/reported-device.js';
import type { Decision } from './decision.js';
import type { DeviceRecord } from './device-record.js';
import { Draft } from './draft.js';
import type { Ledger } from './ledger.js';
import { sameDevice } from './same-device.js';
import { settleStatus } from './settle-status.js';
import { isHeld } from './transitions.js';

/**
 * Brings the records in line with what the host has. What somebody holds stays as it was given: that
 * it changed or vanished is noted, and comes into force when it is freed.
 *
 * @param report all of the host's devices that some device_spec entry admits
 */
export function decideSync(ledger: Ledger, report: readonly ReportedDevice[]): Decision {
  const draft = new Draft(ledger);
  const there = new Map<DeviceId, ReportedDevice>();
  for (const device of report) there.set(device.id, device);

  for (const id of ledger.deviceIds()) {
    const record = ledger.record(id);
    if (record === undefined || there.has(id)) continue;
    if (!isHeld(record)) draft.setDevice(id, null);
    else if (!record.vanished) {
      draft.setDevice(id, { ...record, vanished: true, pending: null });
    }
  }
  for (const [id, device] of there) {
    const record = ledger.record(id);
    const now = record === undefined ? newRecord(device) : withReport(record, device);
    if (now !== record) draft.setDevice(id, now);
  }
  for (const id of there.keys()) settleStatus(draft, id);
  return draft.decision();
}

function newRecord(device: ReportedDevice): DeviceRecord {
  return {
    device,
    home: device.parentAddress,
    status: 'available',
    claimId: null,
    instance: null,
    requestId: null,
    pending: null,
    vanished: false,
    released: 0,
  };
}

function withReport(record: DeviceRecord, reported: ReportedDevice): DeviceRecord {
  const device = keepingExtra(record.device, reported);
  if (!isHeld(record)) {
    if (sameDevice(record.device, device)) return record;
    const home = record.device.type === device.type ? record.home : device.parentAddress;
    return { ...record, device, home };
  }
  const pending = sameDevice(record.device, device) ? null : device;
  if (!record.vanished && samePending(record.pending, pending)) return record;
  return { ...record, vanished: false, pending };
}

/** What device_spec said of the device before: it says it anew with each report. */
const ofSpec: ReadonlySet<string> = new Set(['managed', 'live_migratable']);

/**
 * What was once known of a device stays known: its interface or its vital product data may not be
 * readable at the moment.
 */
function keepingExtra(before: ReportedDevice, now: ReportedDevice): ReportedDevice {
  let extra: Record<string, string> | null = null;
  for (const key in before.extra) {
    const value = before.extra[key];
    if (value === undefined || key in now.extra || ofSpec.has(key)) continue;
    extra ??= { ...now.extra };
    extra[key] = value;
  }
  return extra === null ? now : { ...now, extra };
}

function samePending(a: ReportedDevice | null, b: ReportedDevice | null): boolean {
  return a === null || b === null ? a === b : sameDevice(a, b);
}
