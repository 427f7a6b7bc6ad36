import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaError } from '../errors.js';
import type { NumberedNode } from '../native.js';
import { charDeviceReleased } from './char-device-release.js';
import type { InterfaceName } from './interface-name.js';
import { aliasOf } from './interface-xml.js';
import { type DomainView, interfaceIn, type LibvirtGuest } from './libvirt-guest.js';
import { LibvirtRefusal } from './libvirt-process.js';
import { libvirtCode, libvirtError } from './libvirt-refusal.js';

/** A guest is asked as often. */
const mostRequests = 8;
/** How long it may take to answer the first request; then twice as long, up to the longest. */
const firstWaitMs = 5_000;
const longestWaitMs = 20_000;
/** After a refusal it is asked again no sooner. */
const restMs = 500;

/**
 * Takes an interface from the running guest, and then from what it starts with; what is not there is
 * done. It is gone when libvirt's description no longer shows it, whatever was told.
 *
 * @param node what QEMU is to have closed before the last trace of the interface goes; null: nothing
 * @throws {VdpaError} `GUEST_KEEPS_DEVICE` (it refused each time), `GUEST_TIMEOUT` (it never answered),
 *   `GUEST_NOT_FOUND`, as libvirt refuses
 * @throws the signal's reason, when it comes before that
 */
export async function takeOut(
  guest: LibvirtGuest,
  name: InterfaceName,
  node: NumberedNode | null,
  signal: AbortSignal,
): Promise<void> {
  const { next } = await unplug(guest, name, signal);
  if (node !== null) await charDeviceReleased(node, signal);
  // The other way round, one that is broken off would be gone from where it is looked for first.
  if (interfaceIn(next, name) !== undefined) await takeFromNext(guest, name, signal);
}

export async function takeFromNext(
  guest: LibvirtGuest,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<void> {
  try {
    await guest.detach('next', name, signal);
  } catch (error) {
    if (!(error instanceof LibvirtRefusal)) throw error;
    if (!saysNotThere(error)) throw libvirtError(error);
  }
}

/** @returns the guest without it */
async function unplug(
  guest: LibvirtGuest,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<DomainView> {
  // Before it is asked: the answer may be there before the request returns.
  const answers = new Answers(guest, name);
  try {
    let refusal = '';
    for (let request = 0; request < mostRequests; request++) {
      // Also where it is not shown: libvirt may be giving it still, and makes one change after the other.
      const said = await ask(guest, name, signal);
      const waitMs = Math.min(firstWaitMs * 2 ** request, longestWaitMs);
      const answer = said === 'asked' ? await answers.next(waitMs, signal) : 'kept';
      const view = await guest.show(signal);
      const isShown = interfaceIn(view.running, name) !== undefined;
      if (!isShown && (said === 'asked' || said === 'not there')) return view;
      if (answer !== 'kept') continue;
      refusal = said === 'asked' ? 'it refused' : said;
      await rest(Math.min(restMs * 2 ** request, longestWaitMs), signal);
    }
    throw new VdpaError(
      refusal === '' ? 'GUEST_TIMEOUT' : 'GUEST_KEEPS_DEVICE',
      `the guest does not let go of ${name}: ${refusal || 'it does not answer'}`,
      { retry: 'later', step: 'detach' },
    );
  } finally {
    answers.stop();
  }
}

/** Whether the guest has been asked, or has no such interface; else why it could not be asked. */
async function ask(
  guest: LibvirtGuest,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<'asked' | 'not there' | (string & {})> {
  try {
    await guest.detach('running', name, signal);
    return 'asked';
  } catch (error) {
    if (!(error instanceof LibvirtRefusal)) throw error;
    // It went, or the guest did, since it was looked for.
    if (saysNotThere(error) || error.code === libvirtCode.operationInvalid) return 'not there';
    if (/in the process of unplug/.test(error.message)) return 'asked';
    const told = libvirtError(error);
    // QEMU ended under the question: what libvirt shows next tells what is left.
    if (told.code === 'GUEST_NOT_FOUND') return 'not there';
    // Somebody else's change is under way, or the guest's bus is busy: that passes.
    if (told.code === 'GUEST_TIMEOUT' || told.code === 'GUEST_REFUSED') return error.message;
    throw told;
  }
}

function saysNotThere({ code, message }: LibvirtRefusal): boolean {
  return code === libvirtCode.deviceMissing || /not found|no device found/.test(message);
}

/** What is said of one interface; listens from its construction on, before anything is asked. */
class Answers {
  readonly stop: () => void;
  #latest: 'kept' | 'look' | null = null;
  #tell: () => void = () => {};

  constructor(guest: LibvirtGuest, name: InterfaceName) {
    const alias = aliasOf(name);
    this.stop = guest.listen((event) => {
      if (event === null || event.type === 'stopped') this.#take('look');
      else if (event.alias !== alias) return;
      else if (event.type === 'removed') this.#take('look');
      else if (event.type === 'kept') this.#take('kept');
    });
  }

  /** `look`: the description may have changed; null when nothing is said for so long. */
  async next(waitMs: number, signal: AbortSignal): Promise<'kept' | 'look' | null> {
    if (this.#latest === null) {
      const ending = new AbortController();
      this.#tell = () => ending.abort();
      await rest(waitMs, AbortSignal.any([signal, ending.signal])).catch(() => {});
    }
    signal.throwIfAborted();
    const answer = this.#latest;
    this.#latest = null;
    return answer;
  }

  #take(answer: 'kept' | 'look'): void {
    this.#latest = answer;
    this.#tell();
  }
}

/** @throws the signal's reason, when it comes before the time is up */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {});
  signal.throwIfAborted();
}
