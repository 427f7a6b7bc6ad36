import type { GuestCallOptions, GuestDriver } from '../guest/guest-driver.js';
import type { GuestInterface } from '../guest/guest-interface.js';
import { saysGuestGone } from '../guest/losses.js';
import type { InstanceId } from '../tracker/claim.js';

/** A guest, and what drives it. */
export interface GuestPlace {
  readonly driver: Pick<GuestDriver, 'attach' | 'detach' | 'interfaces' | 'versions'>;
  readonly guest: InstanceId;
  /**
   * By what people and a restarted agent know it: `qmp:/run/vm1.qmp`, `libvirt:vm1`. The claim keeps it
   * for as long as the guest may have its devices.
   */
  readonly reference: string;
}

/** What a guest has of ours; none of one that has ended. @throws {VdpaError} those of the driver */
export async function interfacesIn(
  { driver, guest }: GuestPlace,
  options: GuestCallOptions,
): Promise<GuestInterface[]> {
  try {
    return await driver.interfaces(guest, options);
  } catch (error) {
    if (saysGuestGone(error)) return [];
    throw error;
  }
}
