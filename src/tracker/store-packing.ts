import type { StoreChange } from './store.js';
import type { EncodedChange, EncodedClaimWrite, EncodedWrite } from './store-change.js';

// Changes as one flat list on their way to another thread: cloning an object costs more than all else
// that is done with it there. Only this file knows the order.

export type PackedValue = string | number | null;

/** Appends a change to a list. */
export function packChange(
  into: PackedValue[],
  { devices, claims, operations = [] }: StoreChange,
): void {
  into.push(devices.length, claims.length, operations.length);
  for (const { id, from, to } of devices) into.push(id, from, to && JSON.stringify(to));
  for (const { id, from, to } of claims) {
    const held = to?.devices ?? [];
    into.push(id, from, to && JSON.stringify(to), to?.fence ?? 0, held.length);
    for (const { deviceId } of held) into.push(deviceId);
  }
  for (const { id, from, to } of operations) into.push(id, from, to && JSON.stringify(to));
}

/** All changes of a list. */
export function unpackChanges(values: readonly PackedValue[]): EncodedChange[] {
  let at = 0;
  const next = <T extends PackedValue>(): T => values[at++] as T;
  const many = <T>(count: number, read: () => T): T[] => {
    const things: T[] = [];
    for (let i = 0; i < count; i++) things.push(read());
    return things;
  };
  const write = (): EncodedWrite => ({ id: next(), from: next(), body: next() });
  const claim = (): EncodedClaimWrite => ({
    id: next(),
    from: next(),
    body: next(),
    fence: next(),
    devices: many(next(), () => next<string>()),
  });
  const changes: EncodedChange[] = [];
  while (at < values.length) {
    const [devices, claims, operations] = [next<number>(), next<number>(), next<number>()];
    changes.push({
      devices: many(devices, write),
      claims: many(claims, claim),
      operations: many(operations, write),
    });
  }
  return changes;
}
