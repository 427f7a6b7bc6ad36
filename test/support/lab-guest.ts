import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { type GuestCommandOptions, guestCommand } from '../../lab/guest/command.mjs';
import { QmpConnection } from '../../src/guest/qmp-connection.js';
import { isObject } from '../../src/guest/qmp-message.js';
import type { InstanceId } from '../../src/tracker/claim.js';
import { ended, long, until } from './lab-host.js';

/** Which QEMU is the release's by default, in a long run that of the backports. */
export type GuestOptions = Omit<GuestCommandOptions, 'monitors'>;

/** A guest in QEMU, inside the lab. */
export class LabGuest implements AsyncDisposable {
  readonly id: InstanceId;
  readonly process: ChildProcess;
  readonly #folder: string;
  readonly #lines: Interface;
  /** What it said of its interfaces, one text for each time that it changed. */
  readonly nics: string[] = [];
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
    if (options.boot) await until(() => guest.nics.length > 0);
    return guest;
  }

  private constructor(folder: string, id: string, options: GuestOptions) {
    this.id = id as InstanceId;
    this.#folder = folder;
    const monitors = ['qmp', 'own'].map((name) => join(folder, `${id}.${name}`));
    const { argv, env } = guestCommand({
      qemu: long ? 'backports' : 'release',
      ...options,
      monitors,
    });
    const [command = '', ...rest] = argv;
    this.process = spawn(command, rest, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    });
    if (this.process.stdout === null) throw new Error('no console');
    this.#lines = createInterface({ input: this.process.stdout });
    this.#lines.on('line', (line) => {
      if (line.startsWith('nics:')) this.nics.push(line.slice('nics:'.length).trim());
      if (line.startsWith('done: ')) this.#done++;
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
