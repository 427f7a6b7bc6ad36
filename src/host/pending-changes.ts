import type { UeventRow } from '../rows.js';

/** Above this many devices, reading everything once is less work than each by name. */
const maxNames = 128;

/** As many that went away are remembered. */
const maxRemoved = 4096;

/** What is to be read at the next opportunity. */
export interface Batch {
  /** Devices by name; meaningless with `everything`. */
  readonly names: readonly string[];
  /** Of the devices, those that went away since they were read. */
  readonly removed: ReadonlySet<string>;
  readonly everything: boolean;
  /** The kernel dropped events. */
  readonly lost: boolean;
}

/** Events as what they ask for: many about one device are one. Bounded, whatever comes. */
export class PendingChanges {
  #names = new Set<string>();
  #removed = new Set<string>();
  #everything = false;
  #lost = false;
  /** Sequence numbers of the last events before the latest reading of everything, and before that. */
  #since: bigint | null = null;
  #sinceBefore = 0n;

  get any(): boolean {
    return this.#everything || this.#names.size > 0;
  }

  get everything(): boolean {
    return this.#everything;
  }

  /** Everything has been read: events up to this one are older than what is known. */
  readUpTo(seqnum: bigint): void {
    this.#sinceBefore = this.#since ?? seqnum;
    this.#since = seqnum;
  }

  addEvent({ action, subsystem, devpath, seqnum }: UeventRow): void {
    const name = devpath.slice(devpath.lastIndexOf('/') + 1);
    if (this.#since !== null && seqnum <= this.#since) {
      // All that it led to has been read, but not that the device is another one than at the
      // reading before, though it may look the same.
      if (subsystem !== 'vdpa' || action !== 'remove' || seqnum <= this.#sinceBefore) return;
      this.#addRemoved(name);
      this.addDevice(name);
      return;
    }
    if (subsystem !== 'vdpa') {
      this.#everything = true;
      return;
    }
    // A renamed device has two names, of which the event tells one.
    if (action === 'move') this.#everything = true;
    if (action === 'remove') this.#addRemoved(name);
    this.addDevice(name);
  }

  addDevice(name: string): void {
    if (this.#everything) return;
    this.#names.add(name);
    if (this.#names.size > maxNames) this.#everything = true;
  }

  addEverything(): void {
    this.#everything = true;
  }

  addLoss(): void {
    this.#everything = true;
    this.#lost = true;
  }

  take(): Batch {
    const batch = {
      names: [...this.#names],
      removed: this.#removed,
      everything: this.#everything,
      lost: this.#lost,
    };
    this.#names = new Set();
    this.#removed = new Set();
    this.#everything = false;
    this.#lost = false;
    return batch;
  }

  /** Puts back what could not be read. */
  putBack({ names, removed, everything, lost }: Batch): void {
    for (const name of names) this.addDevice(name);
    for (const name of removed) this.#addRemoved(name);
    this.#everything ||= everything;
    this.#lost ||= lost;
  }

  #addRemoved(name: string): void {
    if (this.#removed.size < maxRemoved) this.#removed.add(name);
    else this.addLoss();
  }
}
