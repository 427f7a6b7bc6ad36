import { type Inventory, VdpaHost } from '../../../src/index.js';
import type { CapturedHost } from '../../support/captured-host.js';

/** What the library reads of a captured host. */
export async function inventoryOf(captured: CapturedHost): Promise<Inventory> {
  await using host = await VdpaHost.open({ root: captured.root });
  return await host.inventory();
}

/** The only one; a test that expects one thing says so by this. */
export function only<T>(list: readonly T[]): T {
  const [first, ...others] = list;
  if (first === undefined || others.length > 0) throw new Error(`${list.length} instead of one`);
  return first;
}
