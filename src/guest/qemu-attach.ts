import { VdpaError } from '../errors.js';
import type { MemoryLock } from '../native.js';
import { charDeviceReleased, heldElsewhere } from './char-device-release.js';
import type { GuestInterface, WantedInterface } from './guest-interface.js';
import { whileThere } from './losses.js';
import {
  isQemu,
  neededLock,
  openCharDevices,
  raiseMemoryLock,
  restoreMemoryLock,
} from './memory-lock.js';
import { askOf, guestError, removeIfThere } from './qemu-refusal.js';
import {
  type Ask,
  freePort,
  givenNodes,
  guestInterfaces,
  guestMemory,
  knowsVhostVdpa,
  opaqueOf,
  otherVectors,
} from './qemu-state.js';
import { QmpRefusal } from './qmp-connection.js';
import { isObject, unreadable } from './qmp-message.js';
import type { QmpMonitor } from './qmp-monitor.js';
import { runSteps, type Step, type StepOptions } from './steps.js';
import { unplug } from './unplug.js';

/** How long each step may take to be undone: the longest is a guest that is to let go again. */
const undoMs = 20_000;

/** One interface on its way into a guest. */
export class QemuAttach {
  readonly #monitor: QmpMonitor;
  readonly #wanted: WantedInterface;
  #pid: number | null = null;
  #lockBefore: MemoryLock | null = null;
  #port = '';
  #fdset: number | null = null;
  /** Whether QEMU may have been given the char device. */
  #given = false;
  #attached: GuestInterface | null = null;

  constructor(monitor: QmpMonitor, wanted: WantedInterface) {
    this.#monitor = monitor;
    this.#wanted = wanted;
  }

  /** @throws as `GuestDriver.attach` */
  async run(options: Omit<StepOptions, 'late'>): Promise<GuestInterface> {
    const late = ({ what }: Step): VdpaError =>
      new VdpaError('GUEST_TIMEOUT', `attach ${this.#wanted.name}: no time was left to ${what}`, {
        retry: 'later',
      });
    await runSteps([this.#look()], { ...options, late });
    if (this.#attached === null) {
      const steps = [
        this.#allowMemory(),
        this.#findPort(),
        this.#giveDevice(),
        this.#addNetdev(),
        this.#addDevice(),
        this.#verify(),
      ];
      await runSteps(steps, { ...options, late });
    }
    if (this.#attached === null) throw new Error('unreachable');
    return this.#attached;
  }

  #step(what: string, run: (ask: Ask, signal: AbortSignal) => Promise<void>): Step {
    return {
      what,
      run: async (signal) => {
        try {
          await run(askOf(this.#monitor, signal), signal);
        } catch (error) {
          throw guestError(error);
        }
      },
    };
  }

  #undoable(
    step: Step,
    leaves: string,
    undo: (ask: Ask, signal: AbortSignal) => Promise<void>,
  ): Step {
    return {
      ...step,
      leaves,
      undo: async () => {
        const late = new VdpaError('GUEST_TIMEOUT', `QEMU did not take back in time: ${leaves}`, {
          retry: 'later',
        });
        const ending = new AbortController();
        const timer = setTimeout(() => ending.abort(late), undoMs);
        try {
          const { signal } = ending;
          await whileThere(signal, () => undo(askOf(this.#monitor, signal), signal));
        } catch (error) {
          throw guestError(error);
        } finally {
          clearTimeout(timer);
        }
      },
    };
  }

  /** What is there already is kept; what is there in part is taken away, to begin anew. */
  #look(): Step {
    const { name, charDevice, mac } = this.#wanted;
    return this.#step('see what the guest has', async (ask, signal) => {
      const { pid } = await this.#monitor.connection(signal);
      this.#pid = pid;
      const there = (await guestInterfaces(ask)).find((one) => one.name === name);
      if (there === undefined) return;
      if (there.state === 'partial') return await clearUp(ask, name, signal);
      const same =
        (there.charDevice === null || there.charDevice === charDevice.path) &&
        (mac === null || there.mac === mac);
      if (!same) {
        throw new VdpaError(
          'INTERFACE_CONFLICT',
          `${name} is attached already, with ${there.charDevice} and MAC ${there.mac}`,
        );
      }
      this.#attached = there;
    });
  }

  #allowMemory(): Step {
    const step = this.#step('let QEMU lock the memory', async (ask) => {
      const pid = this.#pid;
      if (pid === null || !(await isQemu(pid))) {
        await ask('query-status'); // of a QEMU that has just ended there is no command line either
        throw new VdpaError(
          'NOT_SUPPORTED',
          `behind the monitor at ${this.#monitor.place} is no QEMU that this process can see: ` +
            'its limit of locked memory is unknown; let QEMU make the socket itself, in the same PID namespace',
          { retry: 'after-fix' },
        );
      }
      const devices = await this.#devicesWith(pid, ask);
      this.#lockBefore = raiseMemoryLock(pid, neededLock(await guestMemory(ask), devices));
    });
    return {
      ...step,
      leaves: `a higher limit of locked memory for process ${this.#pid}`,
      undo: async () => {
        if (this.#pid !== null && this.#lockBefore !== null) {
          restoreMemoryLock(this.#pid, this.#lockBefore);
        }
      },
    };
  }

  /** How many devices the guest has with this one. */
  async #devicesWith(pid: number, ask: Ask): Promise<number> {
    const paths = openCharDevices(pid) ?? (await givenNodes(ask)).map(({ path }) => path);
    return new Set([...paths, this.#wanted.charDevice.path]).size;
  }

  #findPort(): Step {
    return this.#step('find a free PCIe root port', async (ask) => {
      const port = await freePort(ask);
      if (port === null) {
        throw new VdpaError(
          'GUEST_SLOT_MISSING',
          'the guest has no free PCIe root port: detach a device, or start it with more of them',
        );
      }
      this.#port = port;
    });
  }

  #giveDevice(): Step {
    const { name, charDevice } = this.#wanted;
    const step = this.#step('give QEMU the char device', async (_, signal) => {
      const given = { opaque: opaqueOf({ name, ...charDevice }) };
      this.#given = true;
      try {
        const answer = await this.#monitor.askWith(charDevice, 'add-fd', given, signal);
        const fdset = isObject(answer) ? answer['fdset-id'] : undefined;
        if (typeof fdset !== 'number') throw unreadable('add-fd answers no fdset');
        this.#fdset = fdset;
      } catch (error) {
        throw await this.#notGiven(error);
      }
    });
    return this.#undoable(step, `${charDevice.path} open in QEMU`, async (ask, signal) => {
      if (this.#given) await clearUp(ask, name, signal);
    });
  }

  async #notGiven(error: unknown): Promise<unknown> {
    // It was not even opened: there is nothing to be undone, and it may be somebody else's.
    if (error instanceof VdpaError && error.step?.startsWith('open ')) {
      this.#given = false;
      if (error.errno === 'EBUSY') return await heldElsewhere(this.#wanted.charDevice, error);
    }
    return error;
  }

  #addNetdev(): Step {
    const { name, queuePairs } = this.#wanted;
    const given = {
      type: 'vhost-vdpa',
      id: name,
      ...(queuePairs > 1 && { queues: queuePairs }),
    };
    const step = this.#step('add the netdev', async (ask) => {
      try {
        await ask('netdev_add', { ...given, vhostdev: `/dev/fdset/${this.#fdset}` });
      } catch (error) {
        // Its description is long, so it is asked for only where something is amiss.
        if (!(error instanceof QmpRefusal) || (await knowsVhostVdpa(ask))) throw error;
        throw new VdpaError('NOT_SUPPORTED', 'this QEMU has no vhost-vdpa: 5.1 or later has', {
          retry: 'after-fix',
          cause: error,
        });
      }
    });
    return this.#undoable(step, `netdev ${name}`, (ask) =>
      removeIfThere(ask, 'netdev_del', { id: name }),
    );
  }

  #addDevice(): Step {
    const { name, mac, queuePairs, mtu } = this.#wanted;
    const step = this.#step('plug the device in', async (ask) => {
      await ask('device_add', {
        driver: 'virtio-net-pci',
        id: name,
        netdev: name,
        bus: this.#port,
        'page-per-vq': true,
        vectors: 2 * queuePairs + otherVectors,
        ...(queuePairs > 1 && { mq: true }),
        ...(mac !== null && { mac }),
        ...(mtu !== null && { host_mtu: mtu }),
      });
    });
    return this.#undoable(step, `device ${name}`, (_, signal) =>
      unplug(this.#monitor, name, signal),
    );
  }

  #verify(): Step {
    const { name, mac } = this.#wanted;
    return this.#step('see that it is there', async (ask) => {
      const there = (await guestInterfaces(ask)).find((one) => one.name === name);
      if (there?.state !== 'attached' || (mac !== null && there.mac !== mac)) {
        throw new VdpaError(
          'GUEST_REFUSED',
          `${name} was plugged in and is not there as it was wanted: ${JSON.stringify(there ?? null)}`,
          { retry: 'later' },
        );
      }
      this.#attached = there;
    });
  }
}

/**
 * Takes away what an interface has in QEMU beside its device, which must be gone; resolves when others
 * can open its char device.
 */
export async function clearUp(
  ask: Ask,
  name: WantedInterface['name'],
  signal: AbortSignal,
): Promise<void> {
  const nodes = (await givenNodes(ask)).filter((one) => one.name === name);
  await removeIfThere(ask, 'netdev_del', { id: name });
  for (const { fdset } of nodes) await removeIfThere(ask, 'remove-fd', { 'fdset-id': fdset });
  for (const node of nodes) await charDeviceReleased(node, signal);
}
