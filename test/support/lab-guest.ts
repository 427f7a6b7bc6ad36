import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { type GuestOptions as AllGuestOptions, spawnGuest } from '../../lab/guest/spawn-guest.mjs';
import { QmpConnection } from '../../src/guest/qmp-connection.js';
import { isObject } from '../../src/guest/qmp-message.js';
import type { InstanceId } from '../../src/tracker/claim.js';
import { ended, long, until } from './lab-host.js';

/** Which QEMU is the release's by default, in a long run that of the backports. */
export type GuestOptions = Omit<AllGuestOptions, 'monitors'> & {
  /** Whether it waits for the state of another, which `restore` gives it. */
  readonly incoming?: boolean | undefined;
};

/** A guest in QEMU, inside the lab. */
export class LabGuest implements AsyncDisposable {
  readonly id: InstanceId;
  readonly process: ChildProcess;
  readonly #folder: string;
  readonly #lines: Interface;
  /** What it said of its interfaces, one text for each time that it changed. */
  readonly nics: string[] = [];
  readonly #said: string[] = [];
  #done = 0;
  readonly #signal = AbortSignal.timeout(600_000);
  #own: QmpConnection | null = null;

  static folder(): string {
    return mkdtempSync(join(tmpdir(), 'guests-'));
  }

  static async start(folder: string, id: string, options: GuestOptions = {}): Promise<LabGuest> {
    const guest = new LabGuest(folder, id, options);
    const own = join(folder, `${id}.own`);
    await until(async () => {
      if (guest.process.exitCode !== null) throw new Error('QEMU ended');
      guest.#own = await QmpConnection.open(own, guest.#signal).catch(() => null);
      return guest.#own !== null;
    });
    if (options.boot && !options.incoming) await until(() => guest.nics.length > 0);
    return guest;
  }

  private constructor(folder: string, id: string, options: GuestOptions) {
    this.id = id as InstanceId;
    this.#folder = folder;
    const monitors = ['qmp', 'own'].map((name) => join(folder, `${id}.${name}`));
    const qemu = long ? 'backports' : 'release';
    const { incoming = false, ...own } = options;
    const more = [...(own.arguments ?? []), ...(incoming ? ['-incoming', 'defer'] : [])];
    this.process = spawnGuest({ qemu, ...own, arguments: more, monitors }, [
      'pipe',
      'pipe',
      'inherit',
    ]);
    if (this.process.stdout === null) throw new Error('no console');
    this.#lines = createInterface({ input: this.process.stdout });
    this.#lines.on('line', (line) => {
      if (line.startsWith('nics:')) this.nics.push(line.slice('nics:'.length).trim());
      if (line.startsWith('done: ')) this.#done++;
      if (line.startsWith('said: ')) this.#said.push(line.slice('said: '.length));
    });
  }

  /** Where its monitor is, and those of all guests of its folder. */
  get monitor(): string {
    return join(this.#folder, '{guest}.qmp');
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error('QEMU was not started');
    return this.process.pid;
  }

  /** The interfaces that it has now. */
  get nicsNow(): string {
    return this.nics.at(-1) ?? '';
  }

  /** Runs a shell command inside. */
  async run(command: string): Promise<void> {
    const before = this.#done;
    this.process.stdin?.write(`${command}\n`);
    await until(() => this.#done > before);
  }

  /** What a shell command says inside, in one line. */
  async say(command: string): Promise<string> {
    const before = this.#said.length;
    await this.run(`echo "said: $(${command})"`);
    return this.#said[before] ?? '';
  }

  /** Stops it, and puts its state into a file. */
  async save(file: string): Promise<void> {
    await this.ask('stop');
    await this.ask('migrate', { uri: `exec:cat >${file}` });
    await this.#moved();
  }

  /** Runs on from a state that another has left. */
  async restore(file: string): Promise<void> {
    await this.ask('migrate-incoming', { uri: `exec:cat ${file}` });
    await this.#moved();
    await this.ask('cont');
  }

  /** Where another waits for it, which was started as `incoming`. */
  async meet(other: LabGuest): Promise<string> {
    const uri = `unix:${join(other.#folder, `${other.id}.moving`)}`;
    await other.ask('migrate-incoming', { uri });
    return uri;
  }

  /** Runs on in another QEMU. */
  async migrateTo(other: LabGuest): Promise<void> {
    await this.ask('migrate', { uri: await this.meet(other) });
    await this.#moved();
    await until(async () => {
      const answer = await other.ask('query-status');
      return isObject(answer) && answer['status'] === 'running';
    });
  }

  /** How far it has come: `active`, `completed`, `failed`. */
  async migration(): Promise<unknown> {
    const answer = await this.ask('query-migrate');
    return isObject(answer) ? answer['status'] : undefined;
  }

  async #moved(): Promise<void> {
    await until(async () => {
      const status = await this.migration();
      if (status === 'failed') throw new Error('the state was not moved');
      return status === 'completed';
    });
  }

  /** Asks a monitor that the driver does not use. */
  async ask(command: string, given: Record<string, unknown> = {}): Promise<unknown> {
    if (this.#own === null) throw new Error('not started');
    return await this.#own.execute(command, given, this.#signal);
  }

  /** What QEMU has that an attach made: fdsets, netdevs, devices, char devices open. */
  async things(): Promise<string[]> {
    const fdsets = (await this.ask('query-fdsets')) as { 'fdset-id': number }[];
    const network = String(
      await this.ask('human-monitor-command', { 'command-line': 'info network' }),
    );
    const devices = (await this.ask('qom-list', { path: '/machine/peripheral' })) as object[];
    const ids = devices.flatMap((device) => (isObject(device) ? [String(device['name'])] : []));
    return [
      ...fdsets.map((set) => `fdset ${set['fdset-id']}`),
      ...network.split('\r\n').filter((line) => /vhost-vdpa|vdpa-/.test(line)),
      ...ids.filter((id) => id.startsWith('vdpa-')),
      ...this.openDevices(),
    ];
  }

  /** Char devices of vhost_vdpa that QEMU has open. */
  openDevices(): string[] {
    const folder = `/proc/${this.pid}/fd`;
    return readdirSync(folder)
      .map((fd) => {
        try {
          return readlinkSync(join(folder, fd));
        } catch {
          return '';
        }
      })
      .filter((path) => path.includes('vhost-vdpa'));
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL');
    await ended(this.process);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#own?.destroy();
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGKILL');
      await once(this.process, 'exit');
    }
    this.#lines.close();
    for (const name of readdirSync(this.#folder)) {
      if (name.startsWith(`${this.id}.`)) rmSync(join(this.#folder, name), { force: true });
    }
  }
}
