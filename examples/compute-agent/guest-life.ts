import type { DeviceRequest } from 'vdpa-host';
import type { PluggedInterface, PreparedPort } from 'vdpa-host/lifecycle';
import { AgentError } from './agent-error.js';
import type { Definition } from './definition.js';
import { bind } from './port-binding.js';
import { steps } from './steps.js';
import type { Workplace } from './workplace.js';

export interface BootedInstance {
  readonly bindings: readonly PreparedPort[];
  readonly interfaces: readonly PluggedInterface[];
}

/** What an instance goes through on one host. The phase is durable before each step, and the caller has the turn. */
export class GuestLife {
  readonly #at: Workplace;

  constructor(at: Workplace) {
    this.#at = at;
  }

  /** The instance runs with all that was requested, or is not here. */
  async boot(booting: Definition, requests: readonly DeviceRequest[]): Promise<BootedInstance> {
    const { operations, hypervisor, places, instances, log } = this.#at;
    const { instance, numaCells } = booting;
    await instances.put(booting);
    try {
      const { ports } = await operations.boot(instance, { requests, numaCells });
      bind(this.#at, instance, ports);
      await hypervisor.start(instance, 'paused');
      const interfaces = await operations.completeBoot(
        instance,
        places.reference(instance),
        steps(log, instance),
      );
      await hypervisor.run(instance);
      await instances.enter(booting, { name: 'running' });
      return { bindings: ports, interfaces };
    } catch (error) {
      await this.#undo(booting, () => this.delete(booting));
      throw error;
    }
  }

  /**
   * Takes everything from an instance that it has here. Also of one that did not boot: unlike `abortBoot`
   * the library's `delete` takes back as well what a boot had already completed.
   */
  async delete(definition: Definition): Promise<void> {
    const { operations, hypervisor, instances, log } = this.#at;
    const { instance } = await instances.enter(definition, { name: 'deleting' });
    await hypervisor.end(instance);
    await operations.delete(instance, steps(log, instance));
    await hypervisor.forgetSaved(instance);
    await instances.forget(instance);
  }

  /** Ends the guest first: one that does not answer would keep its interfaces, and itself from being stopped. */
  async stop(definition: Definition): Promise<void> {
    const { operations, hypervisor, places, instances, log } = this.#at;
    const { instance } = await instances.enter(definition, { name: 'stopping' });
    await hypervisor.end(instance);
    await operations.stop(instance, places.reference(instance), steps(log, instance));
    await instances.enter(definition, { name: 'stopped' });
  }

  /** Also of an instance whose guest has ended by itself. */
  async start(definition: Definition): Promise<readonly PluggedInterface[]> {
    const { operations, hypervisor, places, instances, log } = this.#at;
    const { instance } = definition;
    if (await hypervisor.isThere(instance)) {
      throw new AgentError('WRONG_PHASE', `the guest of ${instance} has not ended: stop it first`);
    }
    await instances.enter(definition, { name: 'starting' });
    try {
      await hypervisor.start(instance, 'paused');
      const interfaces = await operations.start(
        instance,
        places.reference(instance),
        steps(log, instance),
      );
      await hypervisor.run(instance);
      await instances.enter(definition, { name: 'running' });
      return interfaces;
    } catch (error) {
      await this.#undo(definition, () => this.stop(definition));
      throw error;
    }
  }

  /** @throws {AgentError} `WRONG_PHASE` when the guest has ended, or something else is being done with it */
  async suspend(definition: Definition): Promise<void> {
    await this.#assertRuns(definition);
    const { operations, hypervisor, places, instances, log } = this.#at;
    const { instance } = await instances.enter(definition, { name: 'suspending' });
    try {
      await hypervisor.forgetSaved(instance);
      await operations.suspend(instance, places.reference(instance), steps(log, instance));
      await hypervisor.save(instance);
    } catch (error) {
      await this.#undo(definition, () => this.settleSuspend(definition));
      throw error;
    }
    await hypervisor.end(instance);
    await instances.enter(definition, { name: 'suspended' });
  }

  /** An instance whose state has been saved is suspended; any other runs on, if its guest is there. */
  async settleSuspend(definition: Definition): Promise<void> {
    const { host, operations, hypervisor, places, instances, log } = this.#at;
    const { instance } = definition;
    if (await hypervisor.hasSaved(instance)) {
      await hypervisor.end(instance);
      await instances.enter(definition, { name: 'suspended' });
    } else if (await hypervisor.isThere(instance)) {
      await hypervisor.endSending(instance);
      await hypervisor.run(instance);
      await operations.resume(instance, places.reference(instance), steps(log, instance));
      await instances.enter(definition, { name: 'running' });
    } else if (host.tracker.operationOf(instance)?.kind !== 'suspend') {
      await this.stop(definition);
    } else {
      await instances.enter(definition, { name: 'suspended' });
    }
  }

  /** Once the guest runs, what fails leaves it running without interfaces: ask again. */
  async resume(definition: Definition): Promise<readonly PluggedInterface[]> {
    const { operations, hypervisor, places, instances, log } = this.#at;
    const { instance, phase } = definition;
    // Its QEMU may have ended before it ran on: then its state is there.
    const isLoaded = phase.name === 'resuming' && (await hypervisor.isThere(instance));
    if (!isLoaded) await this.#load(definition);
    await hypervisor.forgetSaved(instance);
    await hypervisor.run(instance);
    const interfaces = await operations.resume(
      instance,
      places.reference(instance),
      steps(log, instance),
    );
    await instances.enter(definition, { name: 'running' });
    return interfaces;
  }

  /** What was loaded has not run: the saved state is still the guest's last. */
  async settleLoad(definition: Definition): Promise<void> {
    const { hypervisor, instances } = this.#at;
    await hypervisor.end(definition.instance);
    await instances.enter(definition, { name: 'suspended' });
  }

  /** One that has ended since it ran on has no saved state any more, and starts anew when it is resumed. */
  async settleResume(definition: Definition): Promise<void> {
    const { hypervisor, instances } = this.#at;
    if (await hypervisor.isThere(definition.instance)) await this.resume(definition);
    else await instances.enter(definition, { name: 'suspended' });
  }

  /** A guest whose state is lost starts anew. */
  async #load(definition: Definition): Promise<void> {
    const { hypervisor, instances } = this.#at;
    const { instance } = definition;
    await instances.enter(definition, { name: 'loading' });
    try {
      const hasSaved = await hypervisor.hasSaved(instance);
      await hypervisor.start(instance, hasSaved ? 'incoming' : 'paused');
      if (hasSaved) await hypervisor.load(instance);
    } catch (error) {
      await this.#undo(definition, () => this.settleLoad(definition));
      throw error;
    }
    await instances.enter(definition, { name: 'resuming' });
  }

  async #assertRuns({ instance }: Definition): Promise<void> {
    const { host, hypervisor } = this.#at;
    if (!(await hypervisor.isThere(instance))) {
      throw new AgentError('WRONG_PHASE', `the guest of ${instance} has ended: start it`);
    }
    const operation = host.tracker.operationOf(instance);
    if (operation === null) return;
    throw new AgentError('WRONG_PHASE', `instance ${instance} is in a ${operation.kind}: stop it`);
  }

  /** What cannot be undone now is settled when the agent is started again, or asked to. */
  async #undo({ instance }: Definition, undo: () => Promise<void>): Promise<void> {
    try {
      await undo();
    } catch (error) {
      this.#at.log.error({ instance, error }, 'could not be undone: settle it');
    }
  }
}
