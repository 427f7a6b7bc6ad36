import { VdpaError } from '../errors.js';
import type { Claim } from './claim.js';

/** That the claim is in no guest, or in this one. @throws {VdpaError} `CLAIM_IN_GUEST` */
export function assertInNoOtherGuest({ id, guest }: Claim, reference: string | null): void {
  if (guest === null || guest === reference) return;
  throw new VdpaError(
    'CLAIM_IN_GUEST',
    `claim ${id} is in ${guest}, whole or in part: detach it there first`,
    { retry: 'after-fix' },
  );
}
