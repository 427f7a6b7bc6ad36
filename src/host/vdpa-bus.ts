import { VdpaError } from '../errors.js';
import type { NativeHost } from '../native.js';

/**
 * For what is asked of the family: each question to one that is not there starts a modprobe.
 *
 * @param step what needs the bus, for the message
 * @throws {VdpaError} `VDPA_MODULE_MISSING`
 */
export function assertVdpaBus(native: NativeHost, step: string): void {
  if (native.exists('sys/bus/vdpa')) return;
  throw new VdpaError(
    'VDPA_MODULE_MISSING',
    `${step}: the kernel has no vdpa bus: load the module (modprobe vdpa)`,
    { step },
  );
}
