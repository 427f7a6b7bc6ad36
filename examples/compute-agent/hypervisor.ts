import { spawn } from 'node:child_process';
import { access, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { InstanceId } from 'vdpa-host';
import { AgentError } from './agent-error.js';
import { removeDurably, renameDurably } from './durable-file.js';
import { Monitor } from './monitor.js';
import { endProcess, isStill, processWith, startTime } from './qemu-process.js';
import { endTransfer, runState, transfer } from './transfer.js';
import { until } from './until.js';

const startMs = 120_000;
const loadMs = 600_000;
const savedMs = 60_000;
/** To a file: as fast as it goes. */
const unlimited = 2 ** 40;

export interface HypervisorOptions {
  readonly folder: string;
  /** A command line in which `{instance}` and `{folder}` are replaced. */
  readonly qemu: readonly [string, ...string[]];
  /** What a live migration may take, in bytes per second. */
  readonly migrationBandwidth: number;
}

/**
 * Runs the guests of this host, each in a QEMU that outlives the agent. It remembers nothing: what runs
 * is what there are processes of.
 */
export class Hypervisor {
  readonly #options: HypervisorOptions;

  constructor(options: HypervisorOptions) {
    this.#options = options;
  }

  /** Whether there is a QEMU, in whatever state its guest is. */
  async isThere(instance: InstanceId): Promise<boolean> {
    return (await this.#process(instance)) !== null;
  }

  /** The guest's, in QEMU's words; null: there is no QEMU. */
  async state(instance: InstanceId): Promise<string | null> {
    if (!(await this.isThere(instance))) return null;
    using monitor = await this.#monitor(instance);
    return await runState(monitor);
  }

  /**
   * Starts a QEMU whose guest waits: at its beginning, or for a state that is yet to come. After a failure
   * there may be one: `end` it.
   *
   * @throws {AgentError} `GUEST_ENDED`
   */
  async start(instance: InstanceId, how: 'paused' | 'incoming'): Promise<void> {
    if (await this.isThere(instance)) {
      throw new AgentError('WRONG_PHASE', `instance ${instance} has a QEMU already`);
    }
    const [program, ...given] = this.#options.qemu.map((text) => this.#filledIn(text, instance));
    const incoming = how === 'incoming' ? ['-incoming', 'defer'] : [];
    const monitors = ['qmp', 'own'].flatMap((name) => ['-qmp', this.#listening(instance, name)]);
    await using log = await open(this.#path(instance, 'log'), 'a', 0o600);
    const child = spawn(program ?? '', [...given, ...monitors, '-S', ...incoming], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    let failure: string | null = null;
    child.once('error', ({ message }) => {
      failure = message;
    });
    child.once('exit', (code, signal) => {
      failure ??= `it ended with ${code ?? signal}`;
    });
    child.unref();
    await this.#record(instance, child.pid);
    await until(`instance ${instance} has a monitor`, startMs, async () => {
      if (failure !== null) throw this.#ended(instance, failure);
      return await this.#answers(instance);
    });
  }

  /** Lets the guest run, or run on. */
  async run(instance: InstanceId): Promise<void> {
    using monitor = await this.#monitor(instance);
    await monitor.ask('cont');
  }

  /** Stops the guest, and puts its state into a file, whole or not at all. */
  async save(instance: InstanceId): Promise<void> {
    const [partial, whole] = [this.#path(instance, 'partial'), this.#path(instance, 'whole')];
    await this.forgetSaved(instance);
    await Promise.all([partial, whole].map((path) => rm(path, { force: true })));
    using monitor = await this.#monitor(instance);
    await monitor.ask('stop');
    const command = `cat >${partial} && mv ${partial} ${whole}`;
    await transfer(monitor, `exec:${command}`, { bandwidth: unlimited, answered: false });
    // QEMU is done before the command is.
    await until(`${whole} has been written`, savedMs, () => isThere(whole));
    await renameDurably(whole, this.#path(instance, 'state'));
  }

  async hasSaved(instance: InstanceId): Promise<boolean> {
    return await isThere(this.#path(instance, 'state'));
  }

  async forgetSaved(instance: InstanceId): Promise<void> {
    await removeDurably(this.#path(instance, 'state'));
  }

  /** Loads the saved state; the guest waits until it may `run`. */
  async load(instance: InstanceId): Promise<void> {
    using monitor = await this.#monitor(instance);
    await monitor.ask('migrate-incoming', { uri: `exec:cat ${this.#path(instance, 'state')}` });
    await loaded(monitor, instance);
  }

  /** @returns where another host's QEMU is to send the guest */
  async listen(instance: InstanceId): Promise<string> {
    using monitor = await this.#monitor(instance);
    const uri = `unix:${this.#path(instance, 'moving')}`;
    await monitor.ask('migrate-incoming', { uri });
    return uri;
  }

  /** Resolves when the guest is here whole, and may `run`. */
  async loaded(instance: InstanceId): Promise<void> {
    using monitor = await this.#monitor(instance);
    await loaded(monitor, instance);
  }

  /** Sends the running guest to where another QEMU listens, which has it whole when this resolves. */
  async send(instance: InstanceId, uri: string): Promise<void> {
    using monitor = await this.#monitor(instance);
    const { migrationBandwidth: bandwidth } = this.#options;
    await transfer(monitor, uri, { bandwidth, answered: true });
  }

  /** Ends what is still being sent. @returns whether the guest had been sent whole by then */
  async endSending(instance: InstanceId): Promise<boolean> {
    using monitor = await this.#monitor(instance);
    return await endTransfer(monitor);
  }

  /** Ends the guest, by force if need be. Resolves when others can have its devices. */
  async end(instance: InstanceId): Promise<void> {
    const pid = await this.#process(instance);
    if (pid !== null) {
      await endProcess(pid, async () => {
        using monitor = await this.#monitor(instance);
        await monitor.ask('quit');
      });
    }
    const sockets = ['qmp', 'own', 'moving', 'pid'].map((name) => this.#path(instance, name));
    await Promise.all(sockets.map((path) => rm(path, { force: true })));
  }

  async #monitor(instance: InstanceId): Promise<Monitor> {
    return await Monitor.open(this.#path(instance, 'own'));
  }

  async #answers(instance: InstanceId): Promise<boolean> {
    try {
      using _monitor = await this.#monitor(instance);
      return true;
    } catch (error) {
      if (error instanceof AgentError && error.code === 'MONITOR_LOST') return false;
      throw error;
    }
  }

  async #process(instance: InstanceId): Promise<number | null> {
    const argument = this.#listening(instance, 'own');
    const record = await readFile(this.#path(instance, 'pid'), 'utf8').catch(() => '');
    const [pid = '', since = ''] = record.split(' ');
    if (since !== '' && (await isStill(Number(pid), since, argument))) return Number(pid);
    // An agent that was killed may not have come to write it down.
    return await processWith(argument);
  }

  /** So that it is known for as long as it has anything open. */
  async #record(instance: InstanceId, pid: number | undefined): Promise<void> {
    const since = pid === undefined ? null : await startTime(pid);
    if (since !== null) await writeFile(this.#path(instance, 'pid'), `${pid} ${since}`);
  }

  #listening(instance: InstanceId, name: string): string {
    return `unix:${this.#path(instance, name)},server=on,wait=off`;
  }

  #path(instance: InstanceId, suffix: string): string {
    return join(this.#options.folder, `${instance}.${suffix}`);
  }

  #filledIn(text: string, instance: InstanceId): string {
    return text.replaceAll('{instance}', instance).replaceAll('{folder}', this.#options.folder);
  }

  #ended(instance: InstanceId, why: string): AgentError {
    const log = this.#path(instance, 'log');
    return new AgentError('GUEST_ENDED', `QEMU of ${instance} did not start: ${why}; see ${log}`);
  }
}

async function loaded(monitor: Monitor, instance: InstanceId): Promise<void> {
  await until(`the state of ${instance} has been loaded`, loadMs, async () => {
    return (await runState(monitor)) !== 'inmigrate';
  });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
