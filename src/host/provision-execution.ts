import { setTimeout } from 'node:timers/promises';
import { type Outcome, restated, VdpaError } from '../errors.js';
import type { ChangeOptions } from './connection.js';
import type { Inventory } from './inventory.js';
import type { KernelHost } from './kernel-host.js';
import { functionParents, type ManagementDevice } from './management-device.js';
import type { PciAddress } from './pci-address.js';
import type { DeviceStep, Obstacle, PlannedStep } from './provision-plan.js';
import { reportedStep } from './provision-report.js';
import type { VfWish, Wishes } from './provision-wishes.js';
import { setNode } from './set-node.js';

/** The calls of a host that provisioning consists of. */
export type ProvisionedHost = Pick<
  KernelHost,
  | 'inventory'
  | 'deviceConfig'
  | 'resolve'
  | 'enableVfs'
  | 'createDevice'
  | 'deleteDevice'
  | 'setMac'
  | 'bindDriver'
>;

/** How often new VFs are looked at until their driver has made management devices of them. */
const pollMs = 100;

/** A declared place that a step could not bring about. */
export interface Failure extends Obstacle {
  readonly error?: VdpaError;
}

/** The steps of one plan, each by the host's own safe call; one that fails does not keep others back. */
export class Execution {
  readonly failures: Failure[] = [];
  done = 0;
  /** Whether any call, of a step that failed later too, has changed something. */
  #changed = false;
  readonly #host: ProvisionedHost;
  readonly #options: ChangeOptions & { readonly timeoutMs: number };
  readonly #addresses = new Map<string, PciAddress>();
  #parents: ReadonlyMap<string, readonly ManagementDevice[]> = new Map();
  readonly #wishes: Wishes;

  constructor(
    host: ProvisionedHost,
    inventory: Inventory,
    wishes: Wishes,
    options: ChangeOptions & { readonly timeoutMs: number },
  ) {
    this.#host = host;
    this.#options = options;
    this.#wishes = wishes;
    this.#note(inventory);
  }

  /** What all of it together has done to the host. */
  get outcome(): Outcome {
    const outcomes = this.failures.flatMap(({ error }) => (error ? [error.outcome] : []));
    if (outcomes.includes('unknown')) return 'unknown';
    return this.#changed || outcomes.includes('partial') ? 'partial' : 'unchanged';
  }

  /** Whether what is said of this place has been said already, by a step that failed. */
  hasFailed(place: Pick<Obstacle, 'pf' | 'vf'>): boolean {
    return this.failures.some(({ pf, vf }) => pf === place.pf && (vf === null || vf === place.vf));
  }

  /** @throws the signal's reason, and what ends all further steps as well */
  async run(steps: readonly PlannedStep[]): Promise<void> {
    for (const step of steps) {
      const { pf, vf } = reportedStep(step);
      // Without its VFs nothing of a PF can go on.
      if (this.failures.some((failure) => failure.pf === pf && failure.vf === null)) continue;
      this.#options.signal?.throwIfAborted();
      try {
        await this.#step(step);
        this.done++;
      } catch (reason) {
        this.#options.signal?.throwIfAborted();
        if (!(reason instanceof VdpaError) || reason.code === 'CLOSED') throw reason;
        const text = `${reportedStep(step).text}: ${reason.message} [${reason.code}]`;
        this.failures.push({ pf, vf, text, error: reason });
      }
    }
  }

  async #step(step: PlannedStep): Promise<void> {
    const host = this.#host;
    switch (step.action) {
      case 'set-vfs': {
        const { pf, from, to } = step;
        await host.enableVfs(pf, to, { ...this.#options, from, replace: from > 0 });
        this.#changed = true;
        return await this.#waitForParents(pf);
      }
      case 'create':
        return await this.#create(step.wish, undefined);
      case 'recreate':
        return await this.#recreate(step.wish, step.name);
      case 'set-mac':
        return await this.#setMac(step);
      case 'bind':
        return await this.#bind(step.wish, step.name);
      default:
        return await this.#setNode(step.wish);
    }
  }

  /** The driver of new VFs may be a module that is only now being loaded. */
  async #waitForParents(pf: PciAddress): Promise<void> {
    const { signal, timeoutMs } = this.#options;
    const until = performance.now() + timeoutMs;
    const wanted = this.#wishes.pfs.find((wish) => wish.pf.address === pf)?.vfs ?? [];
    for (;;) {
      const inventory = await this.#host.inventory({ signal });
      this.#note(inventory);
      if (wanted.every((wish) => this.#parents.has(this.#address(wish)))) return;
      // Those that have none fail by themselves.
      if (performance.now() > until) return;
      await setTimeout(pollMs, undefined, signal === undefined ? {} : { signal });
    }
  }

  async #create(wish: VfWish, formerName: string | undefined): Promise<void> {
    const { name } = await this.#host.createDevice(
      {
        managementDevice: this.#parent(wish),
        name: wish.name ?? formerName,
        mac: wish.mac ?? undefined,
        mtu: wish.mtu ?? undefined,
        maxVqPairs: wish.maxVqPairs ?? undefined,
        features: wish.features ?? undefined,
      },
      this.#options,
    );
    this.#changed = true;
    if (wish.driver === 'vhost_vdpa') await this.#setNode(wish);
    else await this.#bind(wish, name);
  }

  async #recreate(wish: VfWish, name: string): Promise<void> {
    await this.#host.deleteDevice(name, this.#options);
    this.#changed = true;
    try {
      await this.#create(wish, name);
    } catch (reason) {
      if (!(reason instanceof VdpaError)) throw reason;
      throw restated(reason, `${name} has been deleted, and then: ${reason.message}`, {
        outcome: reason.outcome === 'unknown' ? 'unknown' : 'partial',
      });
    }
  }

  /**
   * While it is bound to no driver nobody can open it, and whoever had it open has refused the
   * unbinding.
   */
  async #setMac({ wish, name, driver }: DeviceStep): Promise<void> {
    const host = this.#host;
    if (driver !== null) await host.bindDriver(name, null, this.#options);
    this.#changed = true;
    try {
      await host.setMac(name, wish.mac ?? '', this.#options);
    } catch (reason) {
      if (reason instanceof VdpaError && reason.code === 'NOT_SUPPORTED') {
        return await this.#recreate(wish, name);
      }
      await this.#bind(wish, name);
      throw reason;
    }
    await this.#bind(wish, name);
  }

  async #bind(wish: VfWish, name: string): Promise<void> {
    await this.#host.bindDriver(name, wish.driver, this.#options);
    this.#changed = true;
    await this.#setNode(wish);
  }

  async #setNode(wish: VfWish): Promise<void> {
    if (wish.node !== null) await setNode(this.#host, `pci/${this.#address(wish)}`, wish.node);
  }

  #note({ vfs, managementDevices }: Inventory): void {
    for (const { pfAddress, vfIndex, address } of vfs) {
      this.#addresses.set(`${pfAddress}/${vfIndex}`, address);
    }
    this.#parents = functionParents(managementDevices);
  }

  #address({ pf, vf }: VfWish): PciAddress {
    const address = this.#addresses.get(`${pf}/${vf}`);
    if (address !== undefined) return address;
    throw new VdpaError('DEVICE_NOT_FOUND', `vf ${vf} of ${pf} is not there`, { retry: 'later' });
  }

  /** The handle of what is to make the VF's device. */
  #parent(wish: VfWish): string {
    const address = this.#address(wish);
    const [parent, ...others] = this.#parents.get(address) ?? [];
    if (others.length === 0) return parent?.handle ?? `pci/${address}`;
    throw new VdpaError('NOT_SUPPORTED', `several management devices stand on ${address}`);
  }
}
