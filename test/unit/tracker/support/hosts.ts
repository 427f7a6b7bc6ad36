import type { HostCell } from '../../../../src/host/host-cells.js';
import type { ReportedDevice } from '../../../../src/policy/reported-device.js';
import type { Admission } from '../../../../src/tracker/ledger.js';
import { MemoryStore } from '../../../../src/tracker/memory-store.js';
import type { Store } from '../../../../src/tracker/store.js';
import { Tracker } from '../../../../src/tracker/tracker.js';
import { everything } from './devices.js';

/** A tracker that has been told of the devices. */
export async function trackerOf(
  devices: readonly ReportedDevice[],
  {
    store = new MemoryStore(),
    cells = null,
    admission = everything,
  }: { store?: Store; cells?: readonly HostCell[] | null; admission?: Admission } = {},
): Promise<Tracker> {
  const tracker = await Tracker.open(store, admission);
  await tracker.sync({ devices, cells });
  return tracker;
}

/** Ids of what is to be had, in no order. */
export function free(tracker: Tracker): string[] {
  return tracker
    .pools()
    .flatMap(({ devices }) => devices)
    .sort();
}

/** Status by id. */
export function statuses(tracker: Tracker): Record<string, string> {
  return Object.fromEntries(tracker.records().map(({ device, status }) => [device.id, status]));
}
