import { mkdir } from 'node:fs/promises';
import {
  type DeviceRequest,
  type InstanceId,
  type MigrationId,
  type PortId,
  VdpaHost,
} from 'vdpa-host';
import {
  InstanceOperations,
  type MigrationOffer,
  type PluggedInterface,
  type PreparedPort,
} from 'vdpa-host/lifecycle';
import { AgentError } from './agent-error.js';
import { Arrival, type Arrived, type CompletedArrival, type PreparedArrival } from './arrival.js';
import type { Configuration } from './configuration.js';
import { type Definition, isLeaving, type Phase } from './definition.js';
import { type CompletedMigration, Departure } from './departure.js';
import { type BootedInstance, GuestLife } from './guest-life.js';
import { GuestPlaces } from './guest-places.js';
import { GuestWatch } from './guest-watch.js';
import { Hypervisor } from './hypervisor.js';
import { Instances } from './instances.js';
import type { Log } from './log.js';
import { LoggedNetwork } from './network.js';
import { type PortDevice, portDevices } from './port-device.js';
import { PortLife } from './port-life.js';
import { Settlement } from './settlement.js';
import { Turns } from './turns.js';
import type { Workplace } from './workplace.js';

type Name = Phase['name'];

export interface ListedInstance {
  readonly instance: InstanceId;
  readonly phase: Name;
  /** Whether there is a QEMU. */
  readonly guest: boolean;
  readonly ports: readonly PortDevice[];
}

/** Runs the instances of one host. Calls about one instance follow one another. */
export class ComputeAgent {
  readonly #at: Workplace;
  readonly #turns = new Turns();
  readonly #life: GuestLife;
  readonly #ports: PortLife;
  readonly #arrival: Arrival;
  readonly #departure: Departure;
  readonly #settlement: Settlement;
  readonly #watch: GuestWatch;

  private constructor(at: Workplace) {
    this.#at = at;
    this.#life = new GuestLife(at);
    this.#ports = new PortLife(at);
    this.#arrival = new Arrival(at);
    this.#departure = new Departure(at);
    this.#settlement = new Settlement(at);
    this.#watch = new GuestWatch(at, this.#turns);
  }

  /** Resolves when what an agent before it has left is settled, or known. */
  static async start(configuration: Configuration, log: Log): Promise<ComputeAgent> {
    const { host: name, folder, deviceSpec, store } = configuration;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    // Whoever has the store is the host's only agent: only now is what the one before has written its last.
    const host = await VdpaHost.open({ deviceSpec, store, logger: log });
    const instances = await openInstances(folder, host, log);
    const places = new GuestPlaces(folder);
    const network = new LoggedNetwork(log);
    const operations = new InstanceOperations(host, {
      place: places.place,
      network,
      hostName: name,
    });
    const hypervisor = new Hypervisor(configuration);
    const agent = new ComputeAgent({
      name,
      host,
      operations,
      places,
      network,
      hypervisor,
      instances,
      log,
    });
    try {
      await agent.#settlement.ofAll();
      agent.#watch.lookAtAll();
      agent.#tellAll();
      return agent;
    } catch (error) {
      await agent.close();
      throw error;
    }
  }

  async boot(
    instance: InstanceId,
    requests: readonly DeviceRequest[],
    numaCells: number[] | null,
  ): Promise<BootedInstance> {
    return await this.#turns.run(instance, async () => {
      this.#assertUnknown(instance);
      const booting = { instance, numaCells, phase: { name: 'booting' as const }, untold: [] };
      return await this.#life.boot(booting, requests);
    });
  }

  async attach(
    instance: InstanceId,
    request: DeviceRequest & { readonly portId: PortId },
  ): Promise<PreparedPort[]> {
    return await this.#in(['running'], instance, (one) => this.#ports.attach(one, request));
  }

  async detach(instance: InstanceId, port: PortId): Promise<void> {
    await this.#in(['running'], instance, (one) => this.#ports.detach(one, port));
  }

  async suspend(instance: InstanceId): Promise<void> {
    await this.#in(['running'], instance, (one) => this.#life.suspend(one));
  }

  async resume(instance: InstanceId): Promise<readonly PluggedInterface[]> {
    const phases: Name[] = ['suspended', 'resuming'];
    return await this.#in(phases, instance, (one) => this.#life.resume(one));
  }

  async stop(instance: InstanceId): Promise<void> {
    await this.#in(['running', 'stopped'], instance, (one) => this.#life.stop(one));
  }

  async start(instance: InstanceId): Promise<readonly PluggedInterface[]> {
    return await this.#in(['running', 'stopped'], instance, (one) => this.#life.start(one));
  }

  /**
   * Whatever it is going through: one that is on its way here does not come, and of one that was leaving the
   * other host is told, if it can be. Repeated, it does nothing.
   */
  async delete(instance: InstanceId): Promise<void> {
    await this.#turns.run(instance, async () => {
      const one = this.#at.instances.find(instance);
      if (one === null) return;
      if (one.phase.name === 'arriving') {
        await this.#arrival.abort(one, one.phase.migration);
        return;
      }
      if (isLeaving(one) && one.phase.name === 'leaving') await this.#departure.abandon(one);
      await this.#departure.tell(instance);
      await this.#life.delete(one);
    });
  }

  /** @param to the socket of the other host's agent */
  async migrate(
    instance: InstanceId,
    to: string,
    numaCells: number[] | null,
  ): Promise<CompletedMigration> {
    return await this.#in(['running'], instance, (one) =>
      this.#departure.migrate(one, to, numaCells),
    );
  }

  async check(offer: MigrationOffer, numaCells: number[] | null): Promise<void> {
    this.#assertUnknown(offer.instance);
    await this.#arrival.check(offer, numaCells);
  }

  async prepare(offer: MigrationOffer, numaCells: number[] | null): Promise<PreparedArrival> {
    return await this.#turns.run(offer.instance, async () => {
      this.#assertUnknown(offer.instance);
      return await this.#arrival.prepare(offer, numaCells);
    });
  }

  async complete(instance: InstanceId): Promise<CompletedArrival> {
    const phases: Name[] = ['arriving', 'arrived', 'running'];
    return await this.#in(phases, instance, (one) => this.#arrival.complete(one));
  }

  async arrived(instance: InstanceId): Promise<Arrived> {
    return await this.#turns.run(instance, async () => {
      const one = this.#at.instances.find(instance);
      return one === null ? 'no' : await this.#arrival.arrived(one);
    });
  }

  async abort(instance: InstanceId, migration: MigrationId): Promise<void> {
    await this.#turns.run(instance, async () => {
      const one = this.#at.instances.find(instance);
      if (one !== null) await this.#arrival.abort(one, migration);
    });
  }

  /** Tries again what could not be finished or taken back. */
  async settle(instance: InstanceId): Promise<void> {
    await this.#turns.run(instance, async () => {
      await this.#settlement.of(this.#at.instances.get(instance));
    });
  }

  async list(): Promise<ListedInstance[]> {
    const { host, hypervisor, instances } = this.#at;
    return await Promise.all(
      instances.all().map(async ({ instance, phase }) => ({
        instance,
        phase: phase.name,
        guest: await hypervisor.isThere(instance),
        ports: portDevices(host.tracker.claims(instance)),
      })),
    );
  }

  /** Guests go on. What is under way is the caller's to wait for. */
  async close(): Promise<void> {
    await this.#watch.close();
    await this.#at.host.close();
  }

  /** Of migrations that have not come about; an agent that cannot be reached keeps nobody else waiting. */
  #tellAll(): void {
    for (const { instance, untold } of this.#at.instances.all()) {
      if (untold.length === 0) continue;
      void this.#turns.run(instance, async () => await this.#departure.tell(instance));
    }
  }

  async #in<T>(
    phases: readonly Name[],
    instance: InstanceId,
    work: (definition: Definition) => Promise<T>,
  ): Promise<T> {
    return await this.#turns.run(instance, async () => {
      const one = this.#at.instances.get(instance);
      if (!phases.includes(one.phase.name)) throw wrongPhase(one);
      return await work(one);
    });
  }

  #assertUnknown(instance: InstanceId): void {
    if (this.#at.instances.find(instance) === null) return;
    throw new AgentError('INSTANCE_EXISTS', `instance ${instance} is here already`);
  }
}

async function openInstances(folder: string, host: VdpaHost, log: Log): Promise<Instances> {
  try {
    return await Instances.open(folder, log);
  } catch (error) {
    await host.close();
    throw error;
  }
}

function wrongPhase({ instance, phase }: Definition): AgentError {
  return new AgentError('WRONG_PHASE', `instance ${instance} is ${phase.name}`);
}
