import type { Inventory, VdpaDevice } from '../../index.js';
import { type Document, schemaVersion } from './document.js';

export interface ListDocument extends Document<'list'> {
  readonly consistent: boolean;
  readonly devices: readonly VdpaDevice[];
}

export function listDocument({ consistent, devices }: Inventory): ListDocument {
  return { schemaVersion, kind: 'list', consistent, devices };
}
