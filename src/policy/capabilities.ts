import type { ReportedDevice } from './reported-device.js';

/** What a device's `extra.capabilities` holds as JSON; each part only where it is known. */
export interface Capabilities {
  /** Offloads of its network interface. */
  readonly network?: readonly string[];
  readonly sriov?: { readonly pf_mac_address?: string; readonly vf_num?: number };
  /** Vital product data of the card. */
  readonly vpd?: { readonly card_serial_number?: string | null };
}

/** Empty when the device has none that can be read. */
export function capabilitiesOf({ extra }: ReportedDevice): Capabilities {
  try {
    return JSON.parse(extra['capabilities'] ?? '{}') ?? {};
  } catch {
    return {};
  }
}
