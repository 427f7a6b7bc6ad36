import type { GuestInterface } from '../../guest/guest-interface.js';
import type { DeviceId } from '../../host/device-id.js';
import type { AttachedClaim } from '../../lifecycle/attach-claim.js';
import type { DetachedClaim, GuestListing } from '../../lifecycle/guest-desk.js';
import type { ClaimId } from '../../tracker/claim.js';
import { type Document, schemaVersion } from './document.js';

export interface AttachDocument extends Document<'attach'> {
  readonly guest: string;
  readonly claims: readonly ClaimId[];
  readonly interfaces: readonly GuestInterface[];
}

export function attachDocument(guest: string, attached: readonly AttachedClaim[]): AttachDocument {
  return {
    schemaVersion,
    kind: 'attach',
    guest,
    claims: attached.map(({ claim }) => claim.id),
    interfaces: attached.flatMap(({ interfaces }) => interfaces),
  };
}

export interface DetachDocument extends Document<'detach'> {
  readonly detached: readonly {
    readonly claim: ClaimId;
    readonly guest: string | null;
    readonly devices: readonly DeviceId[];
  }[];
  /** Whether the devices were given back as well. */
  readonly released: boolean;
}

export function detachDocument(
  detached: readonly DetachedClaim[],
  released: boolean,
): DetachDocument {
  return { schemaVersion, kind: 'detach', detached, released };
}

export interface GuestsDocument extends Document<'guests'> {
  readonly guests: readonly GuestListing[];
}

export function guestsDocument(guests: readonly GuestListing[]): GuestsDocument {
  return { schemaVersion, kind: 'guests', guests };
}
