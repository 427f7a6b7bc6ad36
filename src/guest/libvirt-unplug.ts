import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaError } from '../errors.js';
import type { NumberedNode } from '../native.js';
import type { InterfaceName } from './interface-name.js';
import { aliasOf } from './interface-xml.js';
import { interfaceIn, type LibvirtGuest } from './libvirt-guest.js';
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
 * @throws {VdpaError} `GUEST_KEEPS_DEVICE` (it refused each time), `GUEST_TIMEOUT` (it never answered),
 *   `GUEST_NOT_FOUND`, as libvirt refuses
 * @throws the signal's reason, when it comes before that
 */
export async function takeOut(
  guest: LibvirtGuest,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<void> {
  await unplug(guest, name, signal);
  // The other way round, one that is broken off would be gone from where it is looked for first.
  if (interfaceIn((await guest.show(signal)).next, name) === undefined) return;
  await takeFromNext(guest, name, signal);
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

async function unplug(
  guest: LibvirtGuest,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<void> {
  // Before it is asked: the answer may be there before the request returns.
  const answers = new Answers(guest, name);
  try {
    let refusal = '';
    for (let request = 0; request < mostRequests; request++) {
      if (interfaceIn((await guest.show(signal)).running, name) === undefined) return;
      const refused = await ask(guest, name, signal);
      const waitMs = Math.min(firstWaitMs * 2 ** request, longestWaitMs);
      const answer = refused === null ? await answers.next(waitMs, signal) : 'kept';
      if (answer !== 'kept') continue;
      refusal = refused ?? 'it refused';
      await rest(Math.min(restMs * 2 ** request, longestWaitMs), signal);
    }
    if (interfaceIn((await guest.show(signal)).running, name) === undefined) return;
    throw new VdpaError(
      refusal === '' ? 'GUEST_TIMEOUT' : 'GUEST_KEEPS_DEVICE',
      `the guest does not let go of ${name}: ${refusal || 'it does not answer'}`,
      { retry: 'later', step: 'detach' },
    );
  } finally {
    answers.stop();
  }
}

/** Null when the guest has been asked; else why it could not be. */
async function ask(
  guest: LibvirtGuest,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<string | null> {
  try {
    await guest.detach('running', name, signal);
    return null;
  } catch (error) {
    if (!(error instanceof LibvirtRefusal)) throw error;
    // It went, or the guest did, since it was looked for.
    if (saysNotThere(error) || error.code === libvirtCode.operationInvalid) return error.message;
    if (/in the process of unplug/.test(error.message)) return null;
    const told = libvirtError(error);
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

/** The char device at a path as it is now; null when there is none. */
export async function nodeAt(path: string): Promise<NumberedNode | null> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isCharacterDevice()) return null;
  // As the kernel puts the two numbers together for user space.
  const major = (found.rdev >>> 8) & 0xfff;
  const minor = (found.rdev & 0xff) | ((found.rdev >>> 12) & 0xfff00);
  return { path, major, minor };
}
