import type { StoreCheck } from '../../tracker/store-check.js';
import type { StoreOwner } from '../../tracker/store-holder.js';
import { type Document, schemaVersion } from './document.js';

export interface StoreCheckDocument
  extends Document<'store-check'>,
    Pick<StoreCheck, 'file' | 'content' | 'faults'> {
  readonly sound: boolean;
  readonly owned: boolean;
  /** Null also when somebody owns it who cannot be named. */
  readonly owner: StoreOwner | null;
}

export function storeCheckDocument({ holder, ...check }: StoreCheck): StoreCheckDocument {
  return {
    schemaVersion,
    kind: 'store-check',
    sound: check.faults.length === 0,
    owned: holder !== null,
    owner: holder === 'unknown' ? null : holder,
    ...check,
  };
}
