import type { ReportedDevice } from '../policy/reported-device.js';

/** Whether two reports say the same of a device. Compared by hand: it is done for every device at every sync. */
export function sameDevice(a: ReportedDevice, b: ReportedDevice): boolean {
  if (a === b) return true;
  return (
    a.id === b.id &&
    a.type === b.type &&
    a.address === b.address &&
    a.vendorId === b.vendorId &&
    a.productId === b.productId &&
    a.numaNode === b.numaNode &&
    a.parentAddress === b.parentAddress &&
    a.vdpa?.name === b.vdpa?.name &&
    a.vdpa?.charDevice === b.vdpa?.charDevice &&
    sameTexts(a.reasons, b.reasons) &&
    sameExtra(a.extra, b.extra)
  );
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, place) => text === b[place]);
}

function sameExtra(a: ReportedDevice['extra'], b: ReportedDevice['extra']): boolean {
  let count = 0;
  for (const key in a) {
    if (a[key] !== b[key]) return false;
    count += 1;
  }
  for (const _ in b) count -= 1;
  return count === 0;
}
