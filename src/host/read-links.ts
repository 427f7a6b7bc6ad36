import { VdpaError } from '../errors.js';
import type { CallOptions, Connection } from './connection.js';
import { deviceConfig } from './device-config.js';
import type { LinkHealth } from './device-health.js';
import type { VdpaDevice } from './vdpa-device.js';

/**
 * Asks the link of each network device, one after the other, and tells it as it comes. The question
 * (DEV_CONFIG_GET) waits for a guest that is changing its device's state, and all vDPA commands of
 * the host wait with it: once one has had no answer in time, nobody else is asked.
 */
export async function readLinks(
  connection: Connection,
  devices: readonly VdpaDevice[],
  tell: (device: VdpaDevice, link: LinkHealth | null) => void,
  options?: CallOptions,
): Promise<void> {
  let answering = true;
  for (const device of devices) {
    // Who is in no list of the family can not be asked.
    if (device.class !== 'net') {
      tell(device, null);
      continue;
    }
    if (!answering) {
      tell(device, 'no-answer');
      continue;
    }
    try {
      const row = await connection.call(
        `link of ${device.name}`,
        (native, ms) => native.deviceConfig(device.name, ms),
        options,
      );
      tell(device, deviceConfig(row).net?.link ?? null);
    } catch (error) {
      if (!(error instanceof VdpaError) || error.code === 'CLOSED') throw error;
      answering = error.code !== 'KERNEL_TIMEOUT';
      // Gone meanwhile, or of a kernel that tells only what a guest has negotiated.
      tell(device, answering ? null : 'no-answer');
    }
  }
}
