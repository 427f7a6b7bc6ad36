import { KeyedTurns } from '../keyed-turns.js';
import { assertForm } from '../tracker/arguments.js';
import type { ClaimId } from '../tracker/claim.js';
import {
  abortSignal,
  boolean,
  callable,
  from,
  having,
  listOf,
  name,
  oneOf,
  optional,
  shape,
} from '../tracker/form.js';
import { underWay } from '../tracker/operation.js';
import { interfaceSettings } from '../tracker/store-form.js';
import {
  type AttachedClaim,
  type AttachingHost,
  type AttachOptions,
  attachClaim,
} from './attach-claim.js';
import {
  type PlugSelection,
  type SelectedInterfaces,
  selectedInterfaces,
} from './claimed-interface.js';
import { type DetachOptions, detachClaim } from './detach-claim.js';
import type { GuestPlace } from './guest-place.js';
import { type RecoveredClaim, type RecoverOptions, recoverClaim } from './recover-claims.js';

const network = optional(having('plug', 'unplug'));
const timeoutMs = optional(from(1));
const onStep = optional(callable);
const signal = optional(abortSignal);
const operation = optional(name);

const attachOptions = shape<AttachOptions>({
  network,
  queuePairs: optional(interfaceSettings.queuePairs),
  mtu: optional(interfaceSettings.mtu),
  onFailure: optional(oneOf('keep', 'release')),
  signal,
  timeoutMs,
  operation,
  onStep,
});
const detachOptions = shape<DetachOptions>({
  network,
  release: optional(boolean),
  signal,
  timeoutMs,
  operation,
  onStep,
});
const placeForm = shape<GuestPlace>({
  driver: having('attach', 'detach', 'interfaces', 'versions'),
  guest: name,
  reference: name,
});
const byClaim = shape({ claim: name, devices: optional(listOf(name)) });
const byPort = shape({ instance: name, port: name });

/**
 * Claims going into guests and out of them: what is about one guest or one claim follows one another,
 * the rest goes on beside it.
 */
export class GuestPlugs {
  readonly #host: AttachingHost;
  readonly #turns = new KeyedTurns();

  constructor(host: AttachingHost) {
    this.#host = host;
  }

  async attach(
    selection: PlugSelection,
    place: GuestPlace,
    options: AttachOptions,
  ): Promise<AttachedClaim> {
    assertForm('attach', attachOptions, options);
    return await this.#inTurn('attach', selection, place, options, (selected) =>
      attachClaim(this.#host, selected, place, options),
    );
  }

  async detach(selection: PlugSelection, place: GuestPlace, options: DetachOptions): Promise<void> {
    assertForm('detach', detachOptions, options);
    await this.#inTurn('detach', selection, place, options, (selected) =>
      detachClaim(this.#host, selected, place, options),
    );
  }

  /** Resolves when no attach or detach is under way in a guest, with whether one was. */
  async settled(reference: string): Promise<boolean> {
    return await this.#turns.after(`guest ${reference}`);
  }

  /** Each claim in its turn: others may be attached and detached meanwhile. */
  async recover(options: RecoverOptions): Promise<RecoveredClaim[]> {
    const { tracker } = this.#host;
    const recovered: RecoveredClaim[] = [];
    for (const { id, guest } of tracker.claims()) {
      if (guest === null || options.claims?.includes(id) === false) continue;
      const keys = turnsOf(id, guest);
      const one = await this.#turns.run(keys, options.signal, async () => {
        const claim = tracker.claimOf(id);
        return claim === null ? null : await recoverClaim(this.#host, claim, options);
      });
      if (one !== null) recovered.push(one);
    }
    return recovered;
  }

  async #inTurn<T>(
    call: string,
    selection: PlugSelection,
    place: GuestPlace,
    { signal: ended, operation: own }: Pick<AttachOptions, 'signal' | 'operation'>,
    work: (selected: SelectedInterfaces) => Promise<T>,
  ): Promise<T> {
    const isByClaim = typeof selection === 'object' && selection !== null && 'claim' in selection;
    assertForm(call, isByClaim ? byClaim : byPort, selection);
    assertForm(call, placeForm, place);
    const { tracker } = this.#host;
    const { claim } = selectedInterfaces(tracker, selection);
    const keys = turnsOf(claim.id, place.reference);
    return await this.#turns.run(keys, ended, () => {
      const now = tracker.operationOf(claim.instance);
      if (now !== null && now.kind !== own) throw underWay(now);
      // Selected anew when it is its turn: those before it may have changed the claim.
      return work(selectedInterfaces(tracker, selection));
    });
  }
}

function turnsOf(claim: ClaimId, reference: string): string[] {
  return [`guest ${reference}`, `claim ${claim}`];
}
