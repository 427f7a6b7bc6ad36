import type { InstanceId } from 'vdpa-host';
import { steps } from './steps.js';
import type { Turns } from './turns.js';
import type { Workplace } from './workplace.js';

/**
 * Gives running guests back what they have let go of unasked, or long after they were asked: one that was
 * too busy to let go for a suspend, which then failed, may do so a minute later. So does one that was to
 * let go of a port for good: the detach failed, the instance has the port still, and it may be asked again.
 */
export class GuestWatch {
  readonly #at: Workplace;
  readonly #turns: Turns;
  readonly #pending = new Set<Promise<void>>();
  readonly #ended: Promise<void>;
  #isClosing = false;

  constructor(at: Workplace, turns: Turns) {
    this.#at = at;
    this.#turns = turns;
    this.#ended = this.#follow();
  }

  /** When something may have been missed. */
  lookAtAll(): void {
    for (const { instance } of this.#at.instances.all()) this.#restoreLater(instance);
  }

  /** Waits for what is being given. It ends with the guests' places. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#pending);
    await this.#at.places.close();
    await this.#ended;
  }

  async #follow(): Promise<void> {
    for await (const event of this.#at.places.events()) {
      if (this.#isClosing) continue;
      this.#at.log.info({ told: event }, 'guest');
      if (event.type === 'interface-gone') this.#restoreLater(event.guest);
      if (event.type === 'resync') this.lookAtAll();
    }
  }

  #restoreLater(instance: InstanceId): void {
    const restored = this.#turns.run(instance, () => this.#restore(instance));
    const done = restored.catch((error: unknown) => {
      this.#at.log.error({ instance, error }, 'could not be given back what it let go of');
    });
    this.#pending.add(done);
    void done.finally(() => this.#pending.delete(done));
  }

  /** Of one that has all that is its own, or has ended, it does nothing. */
  async #restore(instance: InstanceId): Promise<void> {
    const { host, operations, places, instances, hypervisor, log } = this.#at;
    if (instances.find(instance)?.phase.name !== 'running') return;
    if (host.tracker.operationOf(instance) !== null) return;
    if (!(await hypervisor.isThere(instance))) return;
    await operations.start(instance, places.reference(instance), steps(log, instance));
  }
}
