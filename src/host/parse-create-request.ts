import { z } from 'zod';
import { parsed } from '../parsed.js';
import { isVdpaName } from './device-id.js';
import { isDeviceMac } from './mac-address.js';
import { mtuRange, queuePairsRange } from './net-limits.js';

/** What a new device is to be. What is left out is the driver's choice. */
export interface CreateRequest {
  /** Handle of the management device that makes it: `pci/0000:65:00.2`, `vdpasim_net`. */
  readonly managementDevice: string;
  /**
   * Name on the vdpa bus: up to 255 printable ASCII characters without blanks and slashes. Default:
   * the management device's own name, for a VF its PCI address.
   */
  readonly name?: string | undefined;
  /** Six octets in hexadecimal with colons; neither zero nor multicast. */
  readonly mac?: string | undefined;
  /** Bytes, 68 to 65,535. */
  readonly mtu?: number | undefined;
  /** Queue pairs, 1 to 32,768; mlx5 makes one unless told otherwise. */
  readonly maxVqPairs?: number | undefined;
  /** Mask of virtio feature bits; the device offers these and no others. */
  readonly features?: bigint | undefined;
}

/** A new name goes through command lines, uevents and sysfs files, so it has no blanks. */
export function isNewName(text: string): boolean {
  return isVdpaName(text) && /^[!-~]+$/.test(text) && !text.startsWith('-');
}

const createRequest = z.strictObject({
  managementDevice: z.string().min(1),
  name: z
    .string()
    .refine(isNewName, 'expected printable ASCII without blanks and slashes, not beginning with -')
    .optional(),
  mac: z
    .string()
    .refine(isDeviceMac, 'expected a unicast address such as 02:00:00:00:00:01')
    .optional(),
  mtu: z.int().min(mtuRange.least).max(mtuRange.most).optional(),
  maxVqPairs: z.int().min(queuePairsRange.least).max(queuePairsRange.most).optional(),
  features: z
    .bigint()
    .min(0n)
    .max(2n ** 64n - 1n)
    .optional(),
});

/** @throws {TypeError} naming every key that is unknown or has the wrong form */
export function parseCreateRequest(request: unknown): CreateRequest {
  return parsed('createDevice', createRequest, request);
}
