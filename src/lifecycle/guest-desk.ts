import type { GuestInterface } from '../guest/guest-interface.js';
import type { DeviceId } from '../host/device-id.js';
import type { PortId } from '../policy/device-request.js';
import type { ClaimId, InstanceId } from '../tracker/claim.js';
import type { AttachedClaim } from './attach-claim.js';

/** Which devices: those of a claim, of an instance in all its claims, or of one of its ports. */
export type PlugScope =
  | { readonly claim: ClaimId }
  | { readonly instance: InstanceId; readonly port?: PortId | undefined };

export interface PlugCallOptions {
  /** Milliseconds for each claim. Default: those of `VdpaHost.attach` and `detach`. */
  readonly timeoutMs?: number | undefined;
  /** Ends it: an attach is undone first, a detach stays where it is. */
  readonly signal?: AbortSignal | undefined;
  /** Told what is being done, for people. */
  readonly onStep?: ((what: string) => void) | undefined;
}

export interface AttachCall extends PlugCallOptions {
  readonly devicesOf: PlugScope;
  /** `qmp:PATH` or `libvirt:DOMAIN`. */
  readonly guest: string;
  /** Data queue pairs of each interface. Default 1. */
  readonly queuePairs?: number | undefined;
  /** What the guest is told, in bytes. Default: nothing. */
  readonly mtu?: number | undefined;
}

export interface DetachCall extends PlugCallOptions {
  readonly devicesOf: PlugScope;
  /** Default: the guest that each claim says. */
  readonly guest?: string | undefined;
  /** Whether the devices are given back. Default true. */
  readonly release?: boolean | undefined;
}

/** What left a guest. */
export interface DetachedClaim {
  readonly claim: ClaimId;
  /** Null: it was in none. */
  readonly guest: string | null;
  readonly devices: readonly DeviceId[];
}

/** A guest that is configured or that a claim names, and what it has of ours. */
export interface GuestListing {
  readonly guest: string;
  /** Those that say that it may have their devices. */
  readonly claims: readonly ClaimId[];
  readonly interfaces: readonly GuestInterface[];
  /** Why it could not be asked; null: it was. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** What may be asked about guests of whoever keeps a host's claims. */
export interface GuestDesk {
  /**
   * Gives a guest the vDPA devices of one claim or of all of an instance, all or none: what a failed
   * call had attached is taken out again, and the claims stay.
   */
  attach(call: AttachCall): Promise<AttachedClaim[]>;
  /** Takes them out again. Of several claims those that are out by then stay out when one fails. */
  detach(call: DetachCall): Promise<DetachedClaim[]>;
  /** In order of their references. */
  guests(options?: { readonly signal?: AbortSignal | undefined }): Promise<GuestListing[]>;
}
