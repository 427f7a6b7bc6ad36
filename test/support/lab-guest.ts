import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { findGuest } from '../../lab/guest/guest.mjs';
import { findQemu, type QemuSuite } from '../../lab/guest/qemu.mjs';
import { QmpConnection } from '../../src/guest/qmp-connection.js';
import { isObject } from '../../src/guest/qmp-message.js';
import type { InstanceId } from '../../src/tracker/claim.js';
import { ended, long, until } from './lab-host.js';

export interface GuestOptions {
  /** Which QEMU; default the release's, in a long run that of the backports. */
  readonly qemu?: QemuSuite | undefined;
  /** PCIe root ports; default 2. */
  readonly ports?: number | undefined;
  /** Whether a Linux is booted; default no, nobody but the firmware runs. */
  readonly boot?: boolean | undefined;
  /** Whether nothing runs until `cont`. */
  readonly paused?: boolean | undefined;
  /** Bytes of locked memory that QEMU may have, and no more; default unlimited. */
  readonly memoryLock?: number | undefined;
  /** Of QEMU; more of them. */
  readonly arguments?: readonly string[] | undefined;
}

/** MiB of a guest's memory. */
export const memoryMiB = 128;

const noLimit = 'unlimited';

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
    const {
      qemu = long ? 'backports' : 'release',
      ports = 2,
      boot = false,
      paused = false,
    } = options;
    const program = findQemu(qemu);
    const kernel = boot ? findGuest() : null;
    if (program === undefined || kernel === undefined) throw new Error('the lab has no guest');
    const monitor = (name: string): string[] => [
      '-qmp',
      `unix:${join(folder, `${id}.${name}`)},server=on,wait=off`,
    ];
    const argv = [
      ...['prlimit', `--memlock=${options.memoryLock ?? noLimit}`],
      ...program.argv,
      ...['-machine', 'q35', '-accel', 'tcg,tb-size=32', '-cpu', 'max', '-m', `${memoryMiB}`],
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      // PCIe's own hot-plug: without an operating system, that of ACPI never tells of a removal.
      ...['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off'],
      ...Array.from({ length: ports }, (_, port) => [
        '-device',
        `pcie-root-port,id=rp${port},chassis=${port + 1},slot=${port + 1}`,
      ]).flat(),
      ...monitor('qmp'),
      ...monitor('own'),
      ...['-serial', 'stdio'],
      ...(paused ? ['-S'] : []),
      ...(kernel !== null
        ? [
            ...['-kernel', kernel.kernel, '-initrd', kernel.initrd, '-append'],
            'console=ttyS0 quiet panic=-1 nokaslr tsc=reliable',
          ]
        : []),
      ...(options.arguments ?? []),
    ];
    const [command = '', ...rest] = argv;
    this.process = spawn(command, rest, {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, ...program.env },
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
