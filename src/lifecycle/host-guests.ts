import { restated, VdpaError } from '../errors.js';
import type { DeviceId } from '../host/device-id.js';
import type { Claim, ClaimId } from '../tracker/claim.js';
import type { VdpaHost } from '../vdpa-host.js';
import type { AttachedClaim } from './attach-claim.js';
import { claimedInterfaces, type PlugSelection } from './claimed-interface.js';
import type {
  AttachCall,
  DetachCall,
  DetachedClaim,
  GuestDesk,
  GuestListing,
  PlugScope,
} from './guest-desk.js';
import type { GuestDrivers, UnlistedGuests } from './guest-drivers.js';
import { type GuestPlace, interfacesIn } from './guest-place.js';
import type { RecoveredClaim, RecoverOptions } from './recover-claims.js';

type PluggingHost = Pick<VdpaHost, 'attach' | 'detach' | 'recoverGuests' | 'tracker'>;

type NamedGuests = Pick<GuestDrivers, 'place' | 'configured'>;

/** What a call has put into a guest. */
interface BegunPlug {
  readonly claim: ClaimId;
  readonly devices: readonly DeviceId[];
}

/** The guests of a host, for those who name them by text: a person, or another process. */
export class HostGuests implements GuestDesk {
  readonly #host: PluggingHost;
  readonly #drivers: NamedGuests;

  constructor(host: PluggingHost, drivers: NamedGuests) {
    this.#host = host;
    this.#drivers = drivers;
  }

  async attach(call: AttachCall): Promise<AttachedClaim[]> {
    const { devicesOf, guest, ...options } = call;
    const place = this.#drivers.place(guest);
    const attached: AttachedClaim[] = [];
    const begun: BegunPlug[] = [];
    const selected = this.#selected(devicesOf);
    // What it had before is not this call's to take out.
    const before = await interfacesIn(place, { signal: options.signal });
    const had = new Set(before.flatMap(({ name, state }) => (state === 'attached' ? [name] : [])));
    for (const { claim, selection } of selected) {
      try {
        const one = await this.#host.attach(selection, place, options);
        attached.push(one);
        const made = one.interfaces.filter(({ name }) => !had.has(name));
        const devices = claimedInterfaces(this.#host.tracker, one.claim)
          .filter(({ name }) => made.some((each) => each.name === name))
          .map(({ deviceId }) => deviceId);
        if (devices.length > 0) begun.push({ claim: claim.id, devices });
      } catch (error) {
        throw await this.#undone(begun, place, error);
      }
    }
    return attached;
  }

  async detach(call: DetachCall): Promise<DetachedClaim[]> {
    const { devicesOf, guest, release = true, ...options } = call;
    const given = guest === undefined ? null : this.#drivers.place(guest);
    const detached: DetachedClaim[] = [];
    for (const { claim, selection } of this.#selected(devicesOf).reverse()) {
      const devices = this.#devicesOf(claim, devicesOf);
      const place = given ?? (claim.guest === null ? null : this.#placeOf(claim.id, claim.guest));
      if (place !== null) await this.#host.detach(selection, place, { ...options, release });
      else if (release) await this.#host.tracker.release({ claim: claim.id, devices });
      detached.push({ claim: claim.id, guest: place?.reference ?? null, devices });
    }
    return detached;
  }

  async guests({
    signal,
  }: {
    readonly signal?: AbortSignal | undefined;
  } = {}): Promise<GuestListing[]> {
    const claims = new Map<string, ClaimId[]>();
    const { references, failed } = await this.#drivers.configured({ signal });
    for (const reference of references) claims.set(reference, []);
    for (const { id, guest } of this.#host.tracker.claims()) {
      if (guest !== null) claims.set(guest, [...(claims.get(guest) ?? []), id]);
    }
    const sorted = [...claims].sort(([a], [b]) => (a < b ? -1 : 1));
    const listings = sorted.map(([guest, own]) => this.#listing(guest, own, signal));
    return [...(await Promise.all(listings)), ...failed.map(unlisted)];
  }

  /**
   * Those that say of a guest that it may have their devices.
   *
   * @param guest null: any
   * @param begun also those whose attach has not come to its end
   */
  claimsIn(guest: string | null, begun: boolean): ClaimId[] {
    return this.#host.tracker.claims().flatMap((claim) => {
      const isIn = guest === null ? claim.guest !== null : claim.guest === guest;
      return isIn && (begun || claim.status === 'allocated') ? [claim.id] : [];
    });
  }

  /** As `VdpaHost.recoverGuests`. */
  async recover(options: Pick<RecoverOptions, 'claims' | 'signal'>): Promise<RecoveredClaim[]> {
    const place = (reference: string): GuestPlace | null => {
      try {
        return this.#drivers.place(reference);
      } catch (error) {
        if (error instanceof TypeError) return null; // a program's own name for it
        throw error;
      }
    };
    return await this.#host.recoverGuests({ ...options, place });
  }

  async #listing(
    guest: string,
    claims: readonly ClaimId[],
    signal: AbortSignal | undefined,
  ): Promise<GuestListing> {
    try {
      const interfaces = await interfacesIn(this.#drivers.place(guest), { signal });
      return { guest, claims, interfaces, error: null };
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof VdpaError || error instanceof TypeError)) throw error;
      const code = error instanceof VdpaError ? error.code : 'NOT_SUPPORTED';
      return { guest, claims, interfaces: [], error: { code, message: error.message } };
    }
  }

  /** @throws {VdpaError} `NOT_SUPPORTED` for a name that another program has given it */
  #placeOf(claim: ClaimId, guest: string): GuestPlace {
    try {
      return this.#drivers.place(guest);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      throw new VdpaError(
        'NOT_SUPPORTED',
        `claim ${claim} is in guest ${guest}, as the program calls it that put it there: detach it there, or say which guest that is`,
        { retry: 'after-fix', cause: error },
      );
    }
  }

  /** Each claim of it that has vDPA devices. @throws {VdpaError} `CLAIM_NOT_FOUND` */
  #selected(scope: PlugScope): { readonly claim: Claim; readonly selection: PlugSelection }[] {
    const { tracker } = this.#host;
    if ('claim' in scope) {
      const claim = tracker.claimOf(scope.claim);
      if (claim !== null) return [{ claim, selection: { claim: claim.id } }];
      throw notFound(`there is no claim ${scope.claim}: it was released, or never made`);
    }
    const { instance, port } = scope;
    const found = tracker.claims(instance).flatMap((claim) => {
      if (claim.migration !== null || this.#devicesOf(claim, scope).length === 0) return [];
      return {
        claim,
        selection: port === undefined ? { claim: claim.id } : { instance, port },
      };
    });
    if (found.length > 0) return found;
    const what = port === undefined ? 'vDPA device' : `vDPA device for port ${port}`;
    throw notFound(`instance ${instance} has claimed no ${what}`);
  }

  #devicesOf(claim: Claim, scope: PlugScope) {
    const port = 'port' in scope ? scope.port : undefined;
    return claimedInterfaces(this.#host.tracker, claim)
      .filter((one) => port === undefined || one.port === port)
      .map(({ deviceId }) => deviceId);
  }

  /** Newest first. @returns what is to be thrown */
  async #undone(begun: readonly BegunPlug[], place: GuestPlace, error: unknown): Promise<unknown> {
    const left: string[] = [];
    const failures: unknown[] = [error];
    for (const selection of begun.toReversed()) {
      try {
        await this.#host.detach(selection, place, { release: false });
      } catch (failure) {
        const why = failure instanceof Error ? failure.message : String(failure);
        left.push(`claim ${selection.claim} in ${place.reference}: ${why}`);
        failures.push(failure);
      }
    }
    const told = failures.find((failure) => failure instanceof VdpaError);
    if (left.length === 0 || told === undefined) return error;
    const before = error instanceof VdpaError ? error.leftovers : [];
    // What was aborted is told by what it left.
    const message = error instanceof VdpaError ? error.message : `aborted; ${told.message}`;
    return restated(told, message, {
      outcome: 'partial',
      leftovers: [...before, ...left],
      cause: error,
    });
  }
}

/** Guests that could not be listed, as one that could not be asked. */
function unlisted({ guests, error: { code, message } }: UnlistedGuests): GuestListing {
  return { guest: guests, claims: [], interfaces: [], error: { code, message } };
}

function notFound(message: string): VdpaError {
  return new VdpaError('CLAIM_NOT_FOUND', message, { retry: 'never' });
}
