import type { DeviceRequest } from '../../policy/device-request.js';
import type { Claim, ClaimId } from '../../tracker/claim.js';
import { anything, listOf, name, optional, shape } from '../../tracker/form.js';
import { numaCells } from '../../tracker/store-form.js';
import { type OfferedInterface, offeredInterface, type PreparedPort } from './migration-offer.js';

/** What an instance that is to run here needs. */
export interface BootRequest {
  /** Default: a random UUID. */
  readonly claim?: ClaimId | undefined;
  readonly requests: readonly DeviceRequest[];
  /** The host's NUMA nodes that the guest is to run on. Default: no topology. */
  readonly numaCells?: readonly number[] | null | undefined;
  /** What the guest gets. Default: each vDPA device, with one queue pair, and no MTU told to the guest. */
  readonly interfaces?: readonly OfferedInterface[] | undefined;
}

/** What was taken for it. */
export interface PreparedBoot {
  readonly claim: Claim;
  readonly ports: readonly PreparedPort[];
}

export const bootRequest = shape<BootRequest>({
  claim: optional(name),
  requests: listOf(anything),
  numaCells: optional(numaCells),
  interfaces: optional(listOf(offeredInterface)),
});
