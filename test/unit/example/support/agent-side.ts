import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentError } from '../../../../examples/compute-agent/agent-error.js';
import { Arrival } from '../../../../examples/compute-agent/arrival.js';
import type { Leaving } from '../../../../examples/compute-agent/definition.js';
import { Departure } from '../../../../examples/compute-agent/departure.js';
import { GuestLife } from '../../../../examples/compute-agent/guest-life.js';
import { Instances } from '../../../../examples/compute-agent/instances.js';
import { Log } from '../../../../examples/compute-agent/log.js';
import { PortLife } from '../../../../examples/compute-agent/port-life.js';
import { Server } from '../../../../examples/compute-agent/server.js';
import { Settlement } from '../../../../examples/compute-agent/settlement.js';
import type { Workplace } from '../../../../examples/compute-agent/workplace.js';
import type { InstanceId } from '../../../../src/tracker/claim.js';
import { AgentHost } from '../../lifecycle/support/agent-host.js';
import { card } from '../../tracker/support/devices.js';
import { trackerOf } from '../../tracker/support/hosts.js';

const quiet = new Log('host', () => {});

/** A QEMU of which there is nothing but its run state, and whether a state is saved. */
export class MadeUpHypervisor {
  readonly #host: AgentHost;
  readonly #instance: InstanceId;
  qemu: string | null = null;
  isSaved = false;
  readonly log: string[] = [];
  sending: () => Promise<void> = async () => {};

  constructor(host: AgentHost, instance: InstanceId) {
    this.#host = host;
    this.#instance = instance;
  }

  async isThere(): Promise<boolean> {
    return this.qemu !== null;
  }

  async state(): Promise<string | null> {
    return this.qemu;
  }

  async start(_: InstanceId, how: 'paused' | 'incoming'): Promise<void> {
    this.qemu = how === 'incoming' ? 'inmigrate' : 'prelaunch';
    this.#host.guests.guests.set(this.#instance, new Map());
  }

  async run(): Promise<void> {
    if (this.qemu === null) throw new AgentError('MONITOR_LOST', 'there is no QEMU');
    this.qemu = 'running';
    this.log.push('run');
  }

  async listen(): Promise<string> {
    return 'unix:somewhere';
  }

  async loaded(): Promise<void> {
    if (this.qemu === null) throw new AgentError('MONITOR_LOST', 'there is no QEMU');
    if (this.qemu === 'inmigrate') throw new AgentError('TIMEOUT', 'it is still on its way');
  }

  async load(): Promise<void> {
    this.qemu = 'paused';
    this.log.push('load');
  }

  async send(): Promise<void> {
    await this.sending();
  }

  async endSending(): Promise<boolean> {
    return this.qemu === 'postmigrate';
  }

  async save(): Promise<void> {
    this.isSaved = true;
    this.qemu = 'postmigrate';
  }

  async hasSaved(): Promise<boolean> {
    return this.isSaved;
  }

  async forgetSaved(): Promise<void> {
    this.isSaved = false;
  }

  async end(): Promise<void> {
    this.die();
  }

  /** By itself, or with the machine. */
  die(): void {
    this.qemu = null;
    this.#host.guests.guests.delete(this.#instance);
  }
}

/** The example's agent of one host, part by part: its store, its files and its words to the other are real. */
export class AgentSide {
  readonly host: AgentHost;
  readonly hypervisor: MadeUpHypervisor;
  readonly instances: Instances;
  readonly folder: string;
  readonly socket: string;
  readonly life: GuestLife;
  readonly ports: PortLife;
  readonly arrival: Arrival;
  readonly departure: Departure;
  readonly settlement: Settlement;
  /** Of the package as it is built, to the compiler, and of its sources here. */
  readonly #instance: never;
  #server: Server | null = null;

  private constructor(host: AgentHost, instances: Instances, folder: string, of: InstanceId) {
    this.host = host;
    this.instances = instances;
    this.folder = folder;
    this.socket = join(folder, 'socket');
    this.#instance = of as never;
    this.hypervisor = new MadeUpHypervisor(host, of);
    const plugs = host.plugs();
    const at = {
      name: 'host',
      operations: host.started(undefined, false, plugs),
      hypervisor: this.hypervisor,
      instances,
      log: quiet,
      network: host.network,
      places: {
        reference: (id: InstanceId) => `made-up:${id}`,
        of: (id: InstanceId) => host.place(`made-up:${id}`),
      },
      host: {
        tracker: host.tracker,
        claim: host.tracker.claim.bind(host.tracker),
        bindingProfile: () => ({}),
        attach: plugs.attach.bind(plugs),
      },
    } as never as Workplace;
    this.life = new GuestLife(at);
    this.ports = new PortLife(at);
    this.arrival = new Arrival(at);
    this.departure = new Departure(at);
    this.settlement = new Settlement(at);
  }

  static async of(bus: string, instance: InstanceId): Promise<AgentSide> {
    const folder = mkdtempSync(join(tmpdir(), 'agent-'));
    const host = new AgentHost(await trackerOf(card(bus, 4)));
    return new AgentSide(host, await Instances.open(folder, quiet), folder, instance);
  }

  get now() {
    return this.instances.get(this.#instance);
  }

  /** For whoever only goes on with one that is leaving. */
  get leaving(): Leaving {
    return this.now as Leaving;
  }

  /** Answers the other agent. @param instead of its own answers */
  async listen(instead: Readonly<Record<string, () => Promise<unknown>>> = {}): Promise<void> {
    this.#server = await Server.listen(
      this.socket,
      async (verb, given) => {
        const own = instead[verb];
        if (own !== undefined) return await own();
        const { offer, migration } = given as never;
        const one = this.instances.find(this.#instance);
        if (verb === 'check') return await this.arrival.check(offer, null);
        if (verb === 'prepare') return await this.arrival.prepare(offer, null);
        if (verb === 'complete') return await this.arrival.complete(this.now);
        if (verb === 'arrived') return one === null ? 'no' : await this.arrival.arrived(one);
        if (verb === 'abort') return one && (await this.arrival.abort(one, migration));
        throw new Error(verb);
      },
      quiet,
    );
  }

  async beAway(): Promise<void> {
    await this.#server?.close();
    this.#server = null;
  }

  async end(): Promise<void> {
    await this.beAway();
    rmSync(this.folder, { recursive: true });
  }
}
