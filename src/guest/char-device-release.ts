import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaError } from '../errors.js';
import { nodeHolders } from '../host/node-holders.js';
import { type NumberedNode, tryCharDevice } from '../native.js';

const firstWaitMs = 5;
const longestWaitMs = 500;

/**
 * Waits until a char device can be opened; one that is gone, or whose node is another's by now, is
 * nobody's any more.
 *
 * @throws {VdpaError} `DEVICE_BUSY` when it is still open as the time is up, `PERMISSION_DENIED`
 * @throws the signal's reason, when it comes for another reason
 */
export async function charDeviceReleased(node: NumberedNode, signal: AbortSignal): Promise<void> {
  for (let waitMs = firstWaitMs; ; waitMs = Math.min(2 * waitMs, longestWaitMs)) {
    try {
      await tryCharDevice(node);
      return;
    } catch (error) {
      if (!(error instanceof VdpaError)) throw error;
      if (error.code === 'DEVICE_NOT_FOUND' || error.errno === 'EBADFD') return;
      if (error.errno !== 'EBUSY') throw error;
      if (signal.aborted && isLate(signal.reason)) throw await heldElsewhere(node, error);
      signal.throwIfAborted();
    }
    await sleep(waitMs);
  }
}

const isLate = (reason: unknown): boolean =>
  reason instanceof VdpaError && reason.code === 'GUEST_TIMEOUT';

/** Of a char device that somebody has open; says who, as far as that can be seen. */
export async function heldElsewhere({ path }: NumberedNode, cause: VdpaError): Promise<VdpaError> {
  const number = (await stat(path).catch(() => null))?.rdev;
  const holder =
    number === undefined ? undefined : (await nodeHolders(new Set([number]))).get(number);
  return new VdpaError('DEVICE_BUSY', `${path} is open${holder ? ` in ${holder}` : ' elsewhere'}`, {
    errno: 'EBUSY',
    step: cause.step,
    retry: 'later',
    cause,
  });
}
