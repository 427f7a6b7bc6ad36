// @ts-check
// Inside the lab: two compute agents, each with a PF as its host, boot a guest, suspend it, resume it and
// hand it over, as examples/compute-agent shows.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { GuestConsole } from '../lab/guest/console.mjs';
import { guestCommandLine } from '../lab/guest/spawn-guest.mjs';
import { StepFailed, script } from './steps.mjs';

const programs = 'build/examples/compute-agent';
const instance = 'vm1';

/** One of the two hosts: its folder, and its agent. */
class AgentHost {
  #name;
  /** @type {import('node:child_process').ChildProcess | null} */
  #agent = null;
  socket;
  console;

  /** @param {string} name @param {string} pf */
  constructor(name, pf) {
    const folder = join('/tmp', name);
    const given = new GuestConsole('{folder}/{instance}.console').arguments;
    this.#name = name;
    this.socket = join(folder, 'socket');
    this.console = new GuestConsole(join(folder, 'instances', `${instance}.console`));
    mkdirSync(folder);
    const config = {
      host: name,
      deviceSpec: [{ address: pf, physical_network: 'physnet1' }],
      store: join(folder, 'claims'),
      socket: this.socket,
      folder: join(folder, 'instances'),
      qemu: guestCommandLine({ boot: true, serial: 'chardev:console', arguments: given }),
    };
    writeFileSync(`${folder}.json`, JSON.stringify(config));
  }

  async start() {
    console.log(`\n$ node main.js ${this.#name}.json &`);
    const argv = [`${programs}/main.js`, `/tmp/${this.#name}.json`];
    const agent = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'pipe'] });
    this.#agent = agent;
    /** @type {Promise<void>} */
    const ready = new Promise((resolve, reject) => {
      createInterface({ input: agent.stderr }).on('line', (line) => {
        const { level, event } = JSON.parse(line);
        if (level !== 'info') console.log(line);
        if (event === 'ready') resolve();
      });
      agent.once('exit', () => reject(new StepFailed(`the agent of ${this.#name} ended`)));
    });
    await ready;
  }

  async stop() {
    const agent = this.#agent;
    if (agent === null) return;
    console.log(`\n$ kill -TERM ${this.#name}`);
    agent.kill('SIGTERM');
    const [code] = await once(agent, 'exit');
    if (code !== 0) throw new StepFailed(`the agent of ${this.#name} ended with ${code}`);
  }

  /** @param {string} verb @param {object} [given] */
  ask(verb, given = {}) {
    const text = JSON.stringify(given);
    console.log(`\n$ node ask.js ${this.#name} ${verb} '${text}'`);
    const argv = [`${programs}/ask.js`, this.socket, verb, text];
    const { status } = spawnSync(process.execPath, argv, { stdio: 'inherit' });
    if (status !== 0) throw new StepFailed(`${verb} ended with ${status}`);
  }

  /** Waits until the guest's own program runs. */
  async guestStarted() {
    while (this.console.nics === null) await sleep(100);
  }

  /**
   * Waits until the guest has as many NICs.
   *
   * @param {number} count
   */
  async showNics(count) {
    for (;;) {
      const nics = (await this.console.say('nics')).trim();
      if (nics.split(' ').filter(Boolean).length === count) {
        console.log(`in the guest: nics: ${nics}`);
        break;
      }
      await sleep(100);
    }
    console.log(`in the guest: boot ${await this.console.say(bootId)}`);
  }
}

const bootId = 'cat /proc/sys/kernel/random/boot_id';
const networks = [{ id: 'net-1', 'provider:physical_network': 'physnet1' }];
const ports = ['52:54:00:00:00:01', '52:54:00:00:00:02'].map((mac, index) => ({
  id: `port-${index + 1}`,
  network_id: 'net-1',
  mac_address: mac,
  'binding:vnic_type': 'vdpa',
}));

await script(async () => {
  const a = new AgentHost('host-a', '0000:11:00.0');
  const b = new AgentHost('host-b', '0000:13:00.0');
  await a.start();
  await b.start();
  a.ask('boot', { instance, ports, networks });
  await a.guestStarted();
  await a.showNics(2);
  a.ask('suspend', { instance });
  a.ask('list');
  a.ask('resume', { instance });
  await a.showNics(2);
  a.ask('migrate', { instance, to: b.socket });
  a.ask('list');
  b.ask('list');
  await b.showNics(2);
  b.ask('delete', { instance });
  await a.stop();
  await b.stop();
});
