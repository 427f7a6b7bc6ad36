import { abortable } from '../abortable.js';
import { VdpaError } from '../errors.js';
import type { Logger } from '../logger.js';
import { tryCharDevice } from '../native.js';
import { charDeviceReleased, heldElsewhere } from './char-device-release.js';
import type { DomainDescription, DomainInterface } from './domain-xml.js';
import type { WantedInterface } from './guest-interface.js';
import { interfaceXml } from './interface-xml.js';
import { type DomainView, interfaceIn, type LibvirtGuest, type Parts } from './libvirt-guest.js';
import { pidOf } from './libvirt-node.js';
import { takeFromNext, takeOut } from './libvirt-unplug.js';
import { throughLosses, whileThere } from './losses.js';
import { memoryLockOf, neededLock } from './memory-lock.js';
import { runSteps, type Step, type StepOptions } from './steps.js';

/** How long undoing may take: libvirt may still be doing what is to be undone, and the guest must let go. */
const undoMs = 30_000;
/** How often what an end of the connection left open is begun again. */
const mostAttempts = 3;

/** One interface on its way into a guest of libvirt's. */
export class LibvirtAttach {
  readonly #guest: LibvirtGuest;
  readonly #wanted: WantedInterface;
  readonly #mac: string;
  readonly #logger: Logger | undefined;
  /** What is still to be given it. */
  #parts: Parts = { running: false, next: false };
  /** The call that libvirt may be working on. */
  #call: Promise<void> = Promise.resolve();
  /** Whether libvirt may have begun with it. */
  #given = false;
  /** Whether QEMU may have been given the char device. */
  #opened = false;
  #verified: DomainView | null = null;

  /** @throws {VdpaError} `NOT_SUPPORTED` without a MAC */
  constructor(guest: LibvirtGuest, wanted: WantedInterface, logger: Logger | undefined) {
    if (wanted.mac === null) {
      throw new VdpaError(
        'NOT_SUPPORTED',
        `attach ${wanted.name}: libvirt makes up a MAC where none is given: give the device's own`,
        { retry: 'never' },
      );
    }
    this.#guest = guest;
    this.#wanted = wanted;
    this.#mac = wanted.mac;
    this.#logger = logger;
  }

  /**
   * @returns the guest with it
   * @throws as `GuestDriver.attach`
   */
  async run(options: Omit<StepOptions, 'late'>): Promise<DomainView> {
    const late = ({ what }: Step): VdpaError =>
      new VdpaError('GUEST_TIMEOUT', `attach ${this.#wanted.name}: no time was left to ${what}`, {
        retry: 'later',
      });
    const steps = [this.#look(), this.#tryDevice(), this.#give(), this.#verify()];
    await runSteps(steps, { ...options, late });
    if (this.#verified === null) throw new Error('unreachable');
    return this.#verified;
  }

  /** What is there already is kept; what only the next start has was broken off, and is taken away. */
  #look(): Step {
    const { name } = this.#wanted;
    return {
      what: 'see what the guest has',
      run: async (signal) => {
        const view = await this.#show(signal);
        const { running, next } = view;
        const there = interfaceIn(running ?? next, name);
        if (there !== undefined && !this.#isWanted(there)) throw conflict(name, there);
        const nextThere = interfaceIn(next, name);
        const stale = nextThere !== undefined && (!there || !this.#isWanted(nextThere));
        if (stale) await takeFromNext(this.#guest, name, signal);
        this.#parts = {
          running: running !== null && there === undefined,
          next: next !== null && (nextThere === undefined || stale),
        };
        if (running !== null && this.#parts.running) await this.#checkRoom(view, running);
      },
    };
  }

  #isWanted({ type, mac, source, queuePairs, mtu }: DomainInterface): boolean {
    const { charDevice, queuePairs: pairs, mtu: wantedMtu } = this.#wanted;
    return (
      type === 'vdpa' &&
      mac === this.#mac &&
      source === charDevice.path &&
      queuePairs === pairs &&
      mtu === wantedMtu
    );
  }

  /** What libvirt would find out with the char device open, and forget there. */
  async #checkRoom({ domainName }: DomainView, running: DomainDescription): Promise<void> {
    const { memoryBytes, hardLimitBytes, locking, freePorts } = running;
    if (freePorts === 0) {
      throw new VdpaError(
        'GUEST_SLOT_MISSING',
        'the guest has no free PCIe root port: detach a device, or start it with more of them',
      );
    }
    const devices = locking.each + 1 + (locking.together > 0 ? 1 : 0);
    const needed = neededLock(memoryBytes, devices);
    if (hardLimitBytes !== null && hardLimitBytes < needed) {
      throw new VdpaError(
        'MEMORY_LOCK_TOO_LOW',
        `the guest's <hard_limit> lets it lock ${hardLimitBytes} bytes of memory and it needs ${needed}: ` +
          'raise that limit, or take it out of the domain',
      );
    }
    await this.#warnOfLock(domainName, needed);
  }

  /** Libvirt raises the limit itself; whoever keeps it from that shall find why in the log. */
  async #warnOfLock(domainName: string, needed: number): Promise<void> {
    if (this.#logger === undefined) return;
    const pid = await pidOf(domainName);
    if (pid === null) return;
    const limit = softLockOf(pid);
    if (limit === null || limit >= needed) return;
    this.#logger.warn(
      { guest: this.#guest.id, limit, needed },
      'QEMU may lock less memory than it needs: libvirt has to raise the limit',
    );
  }

  #tryDevice(): Step {
    const { charDevice } = this.#wanted;
    return {
      what: 'see that the char device is free',
      run: async () => {
        if (!this.#parts.running) return;
        try {
          await tryCharDevice(charDevice);
        } catch (error) {
          if (!(error instanceof VdpaError)) throw error;
          // It is libvirt that opens it, and finds out.
          if (error.code === 'PERMISSION_DENIED') return;
          throw error.errno === 'EBUSY' ? await heldElsewhere(charDevice, error) : error;
        }
      },
    };
  }

  #give(): Step {
    const { name, charDevice } = this.#wanted;
    const guest = this.#guest;
    return {
      what: 'have libvirt plug the interface in',
      leaves: `${name} in guest ${guest.id}, or ${charDevice.path} open in its QEMU until it ends`,
      run: async (signal) => {
        for (let attempt = 1; this.#parts.running || this.#parts.next; attempt++) {
          try {
            await this.#attach(signal);
            return;
          } catch (error) {
            if (attempt === mostAttempts || !mayBeDone(error, attempt)) throw error;
          }
          // Libvirt may have done it, or half of it, and then lost the way back.
          const { running, next } = await this.#show(signal);
          this.#parts = {
            running: running !== null && interfaceIn(running, name) === undefined,
            next: next !== null && interfaceIn(next, name) === undefined,
          };
        }
      },
      undo: async () => await this.#undo(),
    };
  }

  async #show(signal: AbortSignal): Promise<DomainView> {
    return await throughLosses(signal, () => this.#guest.show(signal));
  }

  async #attach(signal: AbortSignal): Promise<void> {
    const fresh = !this.#given;
    this.#given = true;
    this.#opened ||= this.#parts.running;
    this.#call = this.#guest.attach(this.#parts, interfaceXml(this.#wanted, this.#mac));
    this.#call.catch(() => {});
    try {
      await abortable(this.#call, signal);
    } catch (error) {
      // It was not even opened: there is nothing to be undone, and it may be somebody else's.
      if (fresh && error instanceof VdpaError && error.code === 'DEVICE_BUSY') this.#given = false;
      throw error;
    }
  }

  async #undo(): Promise<void> {
    if (!this.#given) return;
    const { name, charDevice } = this.#wanted;
    const late = new VdpaError('GUEST_TIMEOUT', `${name} could not be taken back in time`, {
      retry: 'later',
    });
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(late), undoMs);
    const { signal } = ending;
    try {
      await abortable(
        this.#call.catch(() => {}),
        signal,
      );
      // After a failure libvirt may have left it open in QEMU, and know nothing of it.
      const node = this.#opened ? charDevice : null;
      const isThere = await whileThere(signal, () => takeOut(this.#guest, name, node, signal));
      if (!isThere && node !== null) await charDeviceReleased(node, signal);
    } finally {
      clearTimeout(timer);
    }
  }

  #verify(): Step {
    const { name } = this.#wanted;
    return {
      what: 'see that it is there',
      run: async (signal) => {
        const view = await this.#show(signal);
        const { running, next } = view;
        const missing = [running, next].some((description) => {
          const there = interfaceIn(description, name);
          return description !== null && (there === undefined || !this.#isWanted(there));
        });
        if (!missing) {
          this.#verified = view;
          return;
        }
        throw new VdpaError(
          'GUEST_REFUSED',
          `${name} was plugged in and is not there as it was wanted: ${JSON.stringify(view)}`,
          { retry: 'later' },
        );
      },
    };
  }
}

/** Whether an attempt that failed may have been done all the same, or one before it. */
function mayBeDone(error: unknown, attempt: number): boolean {
  if (!(error instanceof VdpaError)) return false;
  // An attempt whose answer was lost comes to its end before the next, which finds its alias.
  return error.code === 'GUEST_UNREACHABLE' || (attempt > 1 && error.code === 'INTERFACE_CONFLICT');
}

/** Null when it is not to be seen. */
function softLockOf(pid: number): number | null {
  try {
    return memoryLockOf(pid).soft;
  } catch {
    return null;
  }
}

function conflict(name: string, { mac, source, queuePairs, mtu }: DomainInterface): VdpaError {
  return new VdpaError(
    'INTERFACE_CONFLICT',
    `${name} is attached already, with ${source ?? 'no char device'}, MAC ${mac}, ${queuePairs} queue pair(s) and MTU ${mtu ?? 'of the device'}`,
  );
}
