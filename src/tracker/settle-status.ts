import type { DeviceId } from '../host/device-id.js';
import type { Draft } from './draft.js';
import { firstStatus, isHeld } from './transitions.js';

/**
 * A device that nobody holds is to be had unless its PF, or a VF of it, is held: also when it came,
 * or its family changed, while they were.
 */
export function settleStatus(draft: Draft, id: DeviceId): void {
  const record = draft.device(id);
  if (record === null || isHeld(record)) return;
  const status = firstStatus(draft.family(record));
  if ((status === 'available') !== (record.status === 'available')) {
    draft.setDevice(id, { ...record, status });
  }
}
