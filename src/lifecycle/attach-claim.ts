import { restated, VdpaError } from '../errors.js';
import type { GuestInterface } from '../guest/guest-interface.js';
import { assertRecentEnough } from '../guest/guest-minimum.js';
import { type NetworkBackend, noNetworkBackend } from '../guest/network-backend.js';
import { runSteps, type Step } from '../guest/steps.js';
import type { DeviceId } from '../host/device-id.js';
import type { Inventory } from '../host/inventory.js';
import type { KernelHost } from '../host/kernel-host.js';
import type { ResolvedCharDevice } from '../host/resolver.js';
import type { GivenInterface } from '../tracker/arguments.js';
import type { Claim, InterfaceSettings } from '../tracker/claim.js';
import { assertInNoOtherGuest } from '../tracker/claim-in-guest.js';
import type { Tracker } from '../tracker/tracker.js';
import {
  type ClaimedInterface,
  claimedInterfaces,
  networkContext,
  type SelectedInterfaces,
} from './claimed-interface.js';
import type { GuestPlace } from './guest-place.js';
import { networkCall } from './network-call.js';

/** What attaching has to do with on the host. */
export type AttachingHost = Pick<
  KernelHost,
  'resolve' | 'deviceConfig' | 'setMac' | 'inventory'
> & { readonly tracker: Tracker };

export interface AttachOptions {
  /** The control plane's part. Default: nothing is done. */
  readonly network?: NetworkBackend | undefined;
  /** Data queue pairs of each interface. Default 1. */
  readonly queuePairs?: number | undefined;
  /** What the guest is told, in bytes. Default: nothing. */
  readonly mtu?: number | null | undefined;
  /** What becomes of the claim when it fails and all has been undone. Default `keep`. */
  readonly onFailure?: 'keep' | 'release' | undefined;
  /** Rejects with the signal's reason once what was begun has been undone. */
  readonly signal?: AbortSignal | undefined;
  /** For all of the claim's devices together. Default: a minute for each. */
  readonly timeoutMs?: number | undefined;
  /**
   * The operation of the instance that this is a part of, by its kind, such as `suspend`: another, or any
   * that is under way, is not disturbed. Default: none.
   */
  readonly operation?: string | undefined;
  /** Told what is being done, for people. */
  readonly onStep?: ((what: string) => void) | undefined;
}

/** A claim whose devices a guest has. */
export interface AttachedClaim {
  readonly claim: Claim;
  /** Those that were asked for, in the claim's order. */
  readonly interfaces: readonly GuestInterface[];
}

const msForEach = 60_000;
/** How long the guest may take to let go of a device again. */
const undoMs = 30_000;

/**
 * Gives a guest vDPA devices of a claim, all that are asked for or none. What it has already is let be,
 * so that it may be repeated. That the guest may have them is durable before it is told anything; the
 * claim is allocated once what was asked for is there.
 */
export async function attachClaim(
  host: AttachingHost,
  { claim, interfaces: wanted }: SelectedInterfaces,
  place: GuestPlace,
  options: AttachOptions,
): Promise<AttachedClaim> {
  const { tracker } = host;
  const { signal, onFailure = 'keep' } = options;
  assertInNoOtherGuest(claim, place.reference);
  const deadline = performance.now() + (options.timeoutMs ?? msForEach * wanted.length);
  const call = { signal, deadline };
  // Of one that is in no guest, all; else what turns out not to be there yet.
  let own = claim.guest === null ? wanted : [];
  try {
    assertRecentEnough(await place.driver.versions(place.guest, call));
    const there = await place.driver.interfaces(place.guest, call);
    const found = new Map(there.map((one) => [one.name, one]));
    own = wanted.filter(({ name }) => !found.has(name));
    const inventory = await host.inventory({ signal });
    const { queuePairs = 1, mtu = null } = options;
    const settings = { queuePairs, mtu };
    const given = wanted
      .filter(({ name }) => found.get(name)?.state !== 'attached')
      .map(({ deviceId }) => ({ deviceId, settings }));
    const left: Left = { inGuest: false };
    const steps = [
      noteGuest(tracker, claim, place, given, left),
      ...wanted.flatMap((one) =>
        found.get(one.name)?.state === 'attached'
          ? [verification(place, one, found)]
          : attachSteps(host, place, one, {
              ...options,
              settings,
              inventory,
              deadline,
              found,
              left,
            }),
      ),
      allocation(tracker, claim, place.reference),
    ];
    await runSteps(told(steps, options.onStep), { signal, deadline, late: tooLate });
    return {
      claim: tracker.claimOf(claim.id) ?? claim,
      interfaces: wanted.flatMap(({ name }) => found.get(name) ?? []),
    };
  } catch (error) {
    const undone = !(error instanceof VdpaError) || error.outcome !== 'partial';
    if (onFailure === 'release' && undone) await givenBack(tracker, claim, own, error);
    throw error;
  }
}

/** What this call would have put into the guest, and nothing that was there before. */
async function givenBack(
  tracker: Tracker,
  { id, fence }: Claim,
  own: readonly ClaimedInterface[],
  error: unknown,
): Promise<void> {
  try {
    const claim = tracker.claimOf(id);
    if (claim === null || own.length === 0) return;
    const devices = own.map(({ deviceId }) => deviceId);
    const isAll = claimedInterfaces(tracker, claim).every(({ name }) =>
      own.some((one) => one.name === name),
    );
    // The guest may have others of the claim.
    await tracker.release({ claim: id, fence, ...(isAll ? {} : { devices }), force: true });
  } catch (failure) {
    if (!(error instanceof VdpaError && failure instanceof VdpaError)) return;
    throw restated(error, `${error.message}; and claim ${id} stays: ${failure.message}`, {
      leftovers: [...error.leftovers, `claim ${id}`],
      cause: error,
    });
  }
}

/** Whether something may be in the guest that could not be taken out again. */
interface Left {
  inGuest: boolean;
}

type Found = Map<ClaimedInterface['name'], GuestInterface>;

interface Attaching extends AttachOptions {
  readonly settings: InterfaceSettings;
  readonly inventory: Inventory;
  readonly deadline: number;
  /** Takes what is there. */
  readonly found: Found;
  readonly left: Left;
}

function attachSteps(
  host: AttachingHost,
  { driver, guest, reference }: GuestPlace,
  one: ClaimedInterface,
  options: Attaching,
): Step[] {
  const { network = noNetworkBackend, settings, inventory, deadline, found, left } = options;
  const { name, deviceId, port } = one;
  const context = networkContext(inventory, one, settings.mtu);
  const given = { ...one };
  const steps: Step[] = [addressing(host, given)];
  if (port !== null) {
    steps.push({
      what: `plug port ${port} into the network`,
      leaves: `port ${port} plugged into the network`,
      run: async (signal) => await networkCall(() => network.plug(port, context, { signal })),
      undo: async () => await networkCall(() => network.unplug(port, context)),
    });
  }
  steps.push(
    {
      what: `give ${deviceId} to ${reference}`,
      leaves: `interface ${name} of ${reference}`,
      run: async (signal) => {
        // As of now: numbers are recycled.
        const { charDevice } = host.resolve(deviceId);
        const wanted = { name, deviceId, charDevice, mac: given.mac, ...settings };
        try {
          await driver.attach(guest, wanted, { signal, deadline });
        } catch (error) {
          left.inGuest ||= error instanceof VdpaError && error.leftovers.length > 0;
          throw error;
        }
      },
      undo: async () => await driver.detach(guest, name, { deadline: performance.now() + undoMs }),
    },
    {
      what: `see that ${reference} has ${deviceId}`,
      run: async (signal) => {
        const all = await driver.interfaces(guest, { signal, deadline });
        const own = all.find((each) => each.name === name);
        if (own !== undefined) found.set(name, own);
        assertAsWanted(given, own, host.resolve(deviceId), reference);
      },
    },
  );
  return steps;
}

/** Of one that was there before: not this call's to undo. */
function verification({ reference }: GuestPlace, one: ClaimedInterface, found: Found): Step {
  return {
    what: `see that ${reference} has ${one.deviceId}`,
    run: async () => assertAsWanted(one, found.get(one.name), null, reference),
  };
}

/** @param resolved null: not compared, since the host's device may be gone meanwhile */
function assertAsWanted(
  { deviceId, mac }: ClaimedInterface,
  own: GuestInterface | undefined,
  resolved: ResolvedCharDevice | null,
  reference: string,
): void {
  const wrong =
    own?.state !== 'attached'
      ? 'is not there'
      : mac !== null && own.mac !== null && own.mac !== mac
        ? `has the MAC ${own.mac}, not ${mac}`
        : resolved !== null &&
            own.charDevice !== null &&
            own.charDevice !== resolved.charDevice.path
          ? `uses ${own.charDevice}, not ${resolved.charDevice.path}`
          : null;
  if (wrong === null) return;
  throw new VdpaError(
    'ATTACH_NOT_VERIFIED',
    `the interface of ${deviceId} in ${reference} ${wrong}`,
    {
      outcome: 'partial',
      retry: 'later',
    },
  );
}

/**
 * Sees that the device is a network device with the port's MAC, which it gets where the kernel can. For a
 * port without one the guest is given the device's own: a hypervisor that is told none makes one up.
 */
function addressing(host: AttachingHost, given: { deviceId: DeviceId; mac: string | null }): Step {
  const { deviceId } = given;
  let before: string | null = null;
  return {
    what: `see to the MAC of ${deviceId}`,
    leaves: `another MAC of ${deviceId}`,
    run: async (signal) => {
      const { name } = host.resolve(deviceId);
      const { net } = await host.deviceConfig(name, { signal });
      if (net === null) throw notNet(deviceId);
      const own = net.mac === noMac ? null : net.mac;
      given.mac ??= own;
      const { mac } = given;
      if (mac === null || own === mac) return;
      try {
        await host.setMac(name, mac, { signal });
        before = own;
      } catch (error) {
        // A device without a MAC takes that which the guest's interface is given.
        if (own !== null) throw otherMac(deviceId, own, mac, error);
      }
    },
    undo: async () => {
      if (before !== null) await host.setMac(host.resolve(deviceId).name, before);
    },
  };
}

const noMac = '00:00:00:00:00:00';

function noteGuest(
  tracker: Tracker,
  claim: Claim,
  { reference }: GuestPlace,
  given: readonly GivenInterface[],
  left: Left,
): Step {
  const selection = { claim: claim.id, fence: claim.fence };
  const before = claim.devices.map(({ deviceId, settings = null }) => ({ deviceId, settings }));
  return {
    what: `note that claim ${claim.id} goes into ${reference}`,
    leaves: `claim ${claim.id}, noted as being in ${reference}`,
    run: async () => {
      await tracker.setGuest(selection, reference, given);
    },
    // Of one that was there before it stays as it was.
    undo: async () => {
      if (!left.inGuest) await tracker.setGuest(selection, claim.guest, before);
    },
  };
}

/** Also of a claim that has more: what is in the guest by its own call stays there after a crash. */
function allocation(tracker: Tracker, { id, fence }: Claim, reference: string): Step {
  return {
    what: `note that claim ${id} is in ${reference}`,
    run: async () => {
      await tracker.allocate({ claim: id, fence });
    },
  };
}

function told(steps: readonly Step[], onStep: AttachOptions['onStep']): Step[] {
  if (onStep === undefined) return [...steps];
  return steps.map((step) => ({
    ...step,
    run: async (signal) => {
      onStep(step.what);
      await step.run(signal);
    },
  }));
}

function notNet(deviceId: string): VdpaError {
  return new VdpaError('NOT_SUPPORTED', `${deviceId} is no network device`, { retry: 'never' });
}

function otherMac(deviceId: string, own: string, wanted: string, cause: unknown): VdpaError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new VdpaError(
    'MAC_MISMATCH',
    `${deviceId} has the MAC ${own}, the port has ${wanted}, and it cannot be changed: ${reason}`,
    { retry: 'after-fix', cause },
  );
}

function tooLate({ what }: Step): VdpaError {
  return new VdpaError('GUEST_TIMEOUT', `no time was left to ${what}`, { retry: 'later' });
}
