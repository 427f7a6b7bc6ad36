import { VdpaError } from '../../errors.js';
import type { NetworkBackend } from '../../guest/network-backend.js';
import type { VdpaHost } from '../../vdpa-host.js';
import type { GuestPlace } from '../guest-place.js';

/** What operations have to do with on the host. */
export type OperatingHost = Pick<
  VdpaHost,
  'attach' | 'bindingProfile' | 'detach' | 'settled' | 'tracker'
>;

/** What all operations of a host are done with. */
export interface Operating {
  readonly host: OperatingHost;
  readonly network: NetworkBackend | undefined;
  /** As neutron knows it. */
  readonly hostName: string;
  /** Where a guest's reference leads; null: nobody knows it. */
  readonly place: (reference: string) => GuestPlace | null;
}

export interface OperationOptions {
  /** Ends it: what was begun is undone first. */
  readonly signal?: AbortSignal | undefined;
  /** For each device that goes in or out, in ms. Default: those of `VdpaHost.attach` and `detach`. */
  readonly timeoutMs?: number | undefined;
  /** Told what is being done, for people. */
  readonly onStep?: ((what: string) => void) | undefined;
}

/** @throws {VdpaError} `GUEST_NOT_FOUND` */
export function placeOf(operating: Operating, guest: string): GuestPlace {
  const place = operating.place(guest);
  if (place !== null) return place;
  throw new VdpaError('GUEST_NOT_FOUND', `nobody knows a guest ${guest}`, { retry: 'after-fix' });
}
