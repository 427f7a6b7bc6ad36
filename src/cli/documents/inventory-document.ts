import type { Inventory } from '../../index.js';
import { type Document, schemaVersion } from './document.js';
import { managementDeviceJson } from './host-json.js';

/** A host as it stands when following it begins, or has to begin anew: flat, as events tell of it. */
export interface InventoryDocument
  extends Document<'inventory'>,
    Omit<Inventory, 'managementDevices'> {
  /** When it was printed: ISO 8601, UTC. */
  readonly time: string;
  readonly managementDevices: readonly ReturnType<typeof managementDeviceJson>[];
}

export function inventoryDocument(
  { managementDevices, ...inventory }: Inventory,
  time: Date,
): InventoryDocument {
  return {
    schemaVersion,
    kind: 'inventory',
    time: time.toISOString(),
    ...inventory,
    managementDevices: managementDevices.map(managementDeviceJson),
  };
}
