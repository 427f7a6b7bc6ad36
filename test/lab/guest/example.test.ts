import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ask } from '../../../examples/compute-agent/client.js';
import { Monitor } from '../../../examples/compute-agent/monitor.js';
import { processWith } from '../../../examples/compute-agent/qemu-process.js';
import { GuestConsole } from '../../../lab/guest/console.mjs';
import { guestCommandLine } from '../../../lab/guest/spawn-guest.mjs';
import { type ClaimId, type DeviceId, interfaceName } from '../../../src/index.js';
import { vdpaHost } from '../../support/lab-command.js';
import {
  addDevice,
  bind,
  eachOnBareHost,
  enableVfs,
  ended,
  exists,
  long,
  pfA,
  pfB,
  until,
  vfOf,
} from '../../support/lab-host.js';

eachOnBareHost();

const program = 'build/examples/compute-agent/main.js';
const instance = 'vm1';

interface Listed {
  readonly phase: string;
  readonly guest: boolean;
  readonly ports: readonly {
    readonly port: string;
    readonly claim: ClaimId;
    readonly device: DeviceId;
  }[];
}

/** A host of its own: its PF, its folder, its agent. */
class Side {
  readonly folder = mkdtempSync(join(tmpdir(), 'agent-'));
  readonly socket = join(this.folder, 'socket');
  readonly #instances = join(this.folder, 'instances');
  readonly console = new GuestConsole(join(this.#instances, `${instance}.console`));
  readonly #pf: string;
  readonly #log: string[] = [];
  #agent: ChildProcess | null = null;
  #steps = 0;
  /** At which it is killed; null: at none. */
  #lastStep: number | null = null;

  constructor(pf: string) {
    this.#pf = pf;
    writeFileSync(join(this.folder, 'config.json'), JSON.stringify(this.#tracking));
  }

  /** @param migrationBandwidth in bytes per second */
  #configure(migrationBandwidth: number): void {
    const own = new GuestConsole('{folder}/{instance}.console').arguments;
    const qemu = guestCommandLine({
      ...{ boot: true, ports: 3, serial: 'chardev:console', arguments: own },
    });
    const { socket } = this;
    const config = { host: this.#pf, ...this.#tracking, socket, folder: this.#instances };
    writeFileSync(
      join(this.folder, 'agent.json'),
      JSON.stringify({ ...config, qemu, migrationBandwidth }),
    );
  }

  get #tracking() {
    const deviceSpec = [{ address: this.#pf, physical_network: 'net1' }];
    return { deviceSpec, store: join(this.folder, 'store') };
  }

  makeDevices(count: number): void {
    enableVfs(this.#pf, count);
    for (let index = 0; index < count; index++) {
      const name = `${this.#pf === pfA ? 'a' : 'b'}${index}`;
      addDevice(name, `pci/${vfOf(this.#pf, index)}`);
      bind(name, 'vhost_vdpa');
    }
  }

  async start(migrationBandwidth: number = 2 ** 30): Promise<void> {
    this.#configure(migrationBandwidth);
    const agent = spawn(process.execPath, [program, join(this.folder, 'agent.json')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#agent = agent;
    let isReady = false;
    createInterface({ input: agent.stderr }).on('line', (line) => {
      this.#log.push(line);
      if (isStep(line) && ++this.#steps === this.#lastStep) agent.kill('SIGKILL');
      isReady ||= line.includes('"event":"ready"');
    });
    await until(() => isReady || agent.exitCode !== null);
    expect(agent.exitCode, this.#log.join('\n')).toBe(null);
  }

  /** How many it has begun, in all of its lives. */
  get steps(): number {
    return this.#steps;
  }

  /** Resolves when it is dead. */
  async killedAt(step: number): Promise<void> {
    this.#lastStep = step;
    const agent = this.#agent;
    if (agent !== null) await once(agent, 'exit');
  }

  spare(): void {
    this.#lastStep = null;
  }

  /** Whether it has come to where it is killed. */
  get isKilled(): boolean {
    return this.#lastStep !== null && this.#steps >= this.#lastStep;
  }

  async kill(): Promise<void> {
    if (this.#agent === null) return;
    this.#agent.kill('SIGKILL');
    await ended(this.#agent);
    this.#agent = null;
  }

  /** Its exit status. */
  async stop(): Promise<unknown> {
    const agent = this.#agent;
    if (agent === null) throw new Error('it does not run');
    agent.kill('SIGTERM');
    const [code] = await once(agent, 'exit');
    this.#agent = null;
    return code;
  }

  async ask(verb: string, given: object = {}): Promise<unknown> {
    try {
      return await ask(this.socket, verb, given);
    } catch (error) {
      throw new Error(`${verb}: ${error}\n${this.#log.join('\n')}`, { cause: error });
    }
  }

  async list(): Promise<readonly Listed[]> {
    return (await this.ask('list')) as readonly Listed[];
  }

  /** What the guest's own monitor says, when the agent does not use it. */
  async incoming(): Promise<unknown> {
    using monitor = await this.#ownMonitor();
    return await monitor.ask('query-migrate');
  }

  async #ownMonitor(): Promise<Monitor> {
    return await Monitor.open(join(this.#instances, `${instance}.own`));
  }

  /** Asks the guest to let go of a port's interface, behind the agent's back. */
  async takeOut(port: string): Promise<void> {
    const ports = (await this.list()).flatMap((one) => one.ports);
    const { claim, device } = ports.find((one) => one.port === port) ?? expect.fail(port);
    using monitor = await this.#ownMonitor();
    await monitor.ask('device_del', { id: interfaceName(claim, device) });
  }

  /** As its store has them, once the agent has ended. */
  async claims(): Promise<unknown> {
    const { stdout } = await vdpaHost(join(this.folder, 'config.json'), 'claims', '--json');
    return JSON.parse(stdout).claims;
  }

  async endGuest(): Promise<void> {
    const monitor = join(this.#instances, `${instance}.own`);
    const pid = await processWith(`unix:${monitor},server=on,wait=off`);
    if (pid === null) return;
    process.kill(pid, 'SIGKILL');
    await until(() => !exists(`/proc/${pid}/exe`));
  }
}

const macs = ['02:00:00:00:be:01', '02:00:00:00:be:02', '02:00:00:00:be:03'];
const network = { id: 'n1', 'provider:physical_network': 'net1' };
const [first, second, third] = macs.map((mac, index) => ({
  id: `port-${index + 1}`,
  network_id: network.id,
  mac_address: mac,
  'binding:vnic_type': 'vdpa',
}));
const running = (...ports: readonly string[]) => [
  { phase: 'running', guest: true, ports: ports.map((port) => ({ port })) },
];
const both = ['port-1', 'port-2'];

let here: Side;
let there: Side;

beforeEach(() => {
  [here, there] = [new Side(pfA), new Side(pfB)];
});
afterEach(async () => {
  for (const side of [here, there]) {
    await side.kill();
    // Before the devices go, which would wait for good for whoever has them open.
    await side.endGuest();
    rmSync(side.folder, { recursive: true });
  }
});

/** The guest itself says that it has these NICs, and no other. */
async function sees(side: Side, count: number): Promise<void> {
  await until(async () => {
    const nics = (await side.console.say('nics')).split(' ').filter(Boolean);
    const wanted = macs.slice(0, count);
    return nics.length === count && wanted.every((mac) => nics.join().includes(mac));
  });
}

const bootId = async (side: Side): Promise<string> =>
  await side.console.say('cat /proc/sys/kernel/random/boot_id');

test('two agents carry a guest through its life, and a killed one’s successor goes on', async () => {
  here.makeDevices(3);
  there.makeDevices(2);
  // As slow as it gets: what leaves there is under way for as long as it takes to kill somebody.
  await Promise.all([here.start(), there.start(2 ** 16)]);

  const booted = { instance, ports: [first, second], networks: [network] };
  expect(await here.ask('boot', booted)).toMatchObject({
    bindings: both.map((port) => ({
      ...{ port, host: pfA, profile: { physical_network: 'net1' }, active: 'now' },
    })),
    interfaces: [{ queuePairs: 1 }, { queuePairs: 1 }],
  });
  // Before that nobody reads what it is told.
  await until(() => here.console.nics !== null);
  await sees(here, 2);
  const id = await bootId(here);
  expect(id).toMatch(/^[0-9a-f-]{36}$/);

  await here.ask('attach', { instance, port: third, network });
  await sees(here, 3);
  expect(await here.list()).toMatchObject(running(...both, 'port-3'));
  // As a guest does late that was too busy to let go when it was asked: it gets it again.
  await here.takeOut('port-3');
  await sees(here, 2);
  await sees(here, 3);
  await here.ask('detach', { instance, port: 'port-3' });
  await sees(here, 2);

  await here.ask('suspend', { instance });
  expect(await here.list()).toMatchObject([{ phase: 'suspended', guest: false }]);
  await here.ask('resume', { instance });
  await sees(here, 2);

  expect(await here.ask('migrate', { instance, to: there.socket })).toMatchObject({
    bindings: both.map((port) => ({ port, host: pfB, active: 'on-complete' })),
    activated: both,
  });
  await sees(there, 2);
  expect(await bootId(there)).toBe(id);
  expect(await here.list()).toEqual([]);
  expect(await there.list()).toMatchObject(running(...both));

  const broken = ask(there.socket, 'migrate', { instance, to: here.socket });
  broken.catch(() => {});
  await until(async () => (await here.list())[0]?.phase === 'arriving');
  await until(async () => {
    const state = await here.incoming().catch(() => null);
    return JSON.stringify(state)?.includes('"active"');
  });
  await there.kill();
  await expect(broken).rejects.toMatchObject({ code: 'AGENT_UNREACHABLE' });
  await there.start();
  await sees(there, 2);
  expect(await bootId(there)).toBe(id);
  expect(await there.list()).toMatchObject(running(...both));
  expect(await here.list()).toEqual([]);

  expect(await here.stop()).toBe(0);
  expect(await here.claims()).toEqual([]);
  await there.ask('delete', { instance });
  expect(await there.list()).toEqual([]);
  expect(await there.stop()).toBe(0);
  expect(await there.claims()).toEqual([]);
}, 1_800_000);

const rests: readonly (string | undefined)[] = ['running', 'suspended', 'stopped'];

/** Where the guest has come to rest, once all that was left in the middle has been settled. */
async function settled(sides: readonly Side[]): Promise<Side> {
  for (;;) {
    const lists = await Promise.all(sides.map(async (side) => await side.list()));
    const owner = sides[lists.findIndex(([one]) => rests.includes(one?.phase))];
    if (owner !== undefined && lists.flat().length === 1) return owner;
    for (const side of sides) await side.ask('settle', { instance }).catch(() => {});
    await setTimeout(500);
  }
}

/** What an agent does, as its log tells: more than its own answers and the network's words. */
const isStep = (line: string): boolean => /"event":"(asked|step|phase|forgotten)"/.test(line);

/** What is asked of the agent that has the instance, and which of the two is killed. */
const deaths = [
  { verb: 'migrate', phase: 'running', victim: 'owner' },
  { verb: 'migrate', phase: 'running', victim: 'other' },
  { verb: 'suspend', phase: 'running', victim: 'owner' },
  { verb: 'resume', phase: 'suspended', victim: 'owner' },
  { verb: 'stop', phase: 'running', victim: 'owner' },
  { verb: 'start', phase: 'stopped', victim: 'owner' },
] as const;

test('an agent that is killed at any step leaves one guest, with all that it had', async () => {
  const sides = [here, there];
  for (const side of sides) {
    side.makeDevices(2);
    await side.start();
  }
  let owner = here;
  const other = (): Side => (owner === here ? there : here);
  const asked = async (verb: string): Promise<void> => {
    await ask(owner.socket, verb, { instance, ...(verb === 'migrate' && { to: other().socket }) });
  };
  /** Into a phase in which it is asked for something; what starts anew is waited for. */
  const brought = async (phase: string): Promise<void> => {
    const [now] = await owner.list();
    if (now?.phase === phase) return;
    if (now?.phase === 'suspended') await asked('resume');
    if (now?.phase === 'stopped') await started(() => asked('start'));
    if (phase === 'suspended') await asked('suspend');
    if (phase === 'stopped') await asked('stop');
    await brought(phase);
  };
  const started = async (work: () => Promise<unknown>): Promise<void> => {
    const before = owner.console.tellings;
    await work();
    const [now] = await owner.list();
    // Before that nobody reads what it is told.
    if (now?.phase === 'running') await until(() => owner.console.tellings > before);
  };
  await started(() => here.ask('boot', { instance, ports: [first, second], networks: [network] }));

  const seed = Number(process.env['VDPA_HOST_SEED'] ?? Date.now() % 1e6);
  console.info(`VDPA_HOST_SEED=${seed}`);
  let killed = 0;
  for (const death of long ? deaths : [deaths[seed % deaths.length] ?? expect.fail()]) {
    const victimNow = (): Side => (death.victim === 'owner' ? owner : other());
    const isStart = death.verb === 'start';
    await brought(death.phase);
    const witness = victimNow();
    const before = witness.steps;
    await (isStart ? started(() => asked(death.verb)) : asked(death.verb));
    const count = witness.steps - before;
    expect(count).toBeGreaterThan(3);
    owner = await settled(sides);

    for (const step of long ? Array(count).keys() : [seed % count]) {
      await brought(death.phase);
      const id = death.phase === 'running' ? await bootId(owner) : null;
      const victim = victimNow();
      const killedThere = async (): Promise<void> => {
        const dead = victim.killedAt(victim.steps + step + 1);
        await asked(death.verb).catch(() => {});
        // Its last step may be one that it did not come to this time.
        if (victim.isKilled) {
          killed++;
          await dead;
          await victim.start();
        }
        victim.spare();
        owner = await settled(sides);
      };
      await (isStart ? started(killedThere) : killedThere());
      await brought('running');
      await sees(owner, 2);
      if (id !== null && death.verb !== 'stop') expect(await bootId(owner)).toBe(id);
      expect(await owner.list()).toMatchObject(running(...both));
    }
  }
  expect(killed).toBeGreaterThan(0);

  expect(await other().stop()).toBe(0);
  expect(await other().claims()).toEqual([]);
  await owner.ask('delete', { instance });
  expect(await owner.stop()).toBe(0);
  expect(await owner.claims()).toEqual([]);
}, 3_600_000);
