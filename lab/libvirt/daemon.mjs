// SPDX-License-Identifier: Apache-2.0
// @ts-check
// Libvirt's daemon with its guests, inside the lab.

import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LabError } from '../lab-error.mjs';
import { findLibvirt } from './libvirt.mjs';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { LibvirtSuite } from './libvirt.mjs' */

const mountScript = fileURLToPath(new URL('mount.sh', import.meta.url));
/** For what hangs. */
const virshMs = 120_000;
const readyMs = 300_000;

/**
 * @typedef {object} DomainOptions
 * @property {boolean | undefined} [persistent] whether it is still there once it has ended. Yes
 * @property {boolean | undefined} [letsGo] whether it lets go when it is asked, also without an operating
 *   system: PCIe's own hot-plug, where a slot that nobody powered needs nobody's consent. Yes; with that
 *   of ACPI it never does
 * @property {number | undefined} [ports] PCIe root ports. 2
 */

/** The daemon in a mount namespace of its own, which its guests share. */
export class LibvirtDaemon {
  #folder = mkdtempSync(join(tmpdir(), 'libvirt-'));
  /** @type {ChildProcess} */
  #holder;
  /** @type {ChildProcess | null} */
  #daemon = null;

  /** @param {string} root where the packages are unpacked */
  constructor(root) {
    const argv = ['--mount', '--propagation', 'private', 'sh', mountScript, this.#folder, root];
    this.#holder = spawn('unshare', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  /**
   * It takes a while: the daemon looks at its QEMU first.
   *
   * @param {LibvirtSuite} suite
   * @throws {LabError} when the lab has no libvirt
   */
  static async start(suite) {
    const root = findLibvirt(suite);
    if (root === undefined) throw new LabError('the lab has no libvirt');
    const libvirt = new this(root);
    await libvirt.#mounted();
    libvirt.startDaemon();
    await libvirt.ready();
    return libvirt;
  }

  startDaemon() {
    const command = `exec libvirtd --verbose >>${join(this.#folder, 'daemon.log')} 2>&1`;
    this.#daemon = spawn('nsenter', this.inside('sh', '-c', command), {
      stdio: 'ignore',
      // Without the stand-ins that other tests ask for versions.
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
  }

  /** As a crash would: guests run on. */
  async killDaemon() {
    await this.#end('SIGKILL');
  }

  /**
   * Resolves when it answers.
   *
   * @throws {LabError} with its log, when it has ended or does not in time
   */
  async ready() {
    const deadline = performance.now() + readyMs;
    for (;;) {
      const wrong = this.#fault();
      if (wrong === null) return;
      const hasEnded = this.#daemon?.exitCode !== null;
      if (hasEnded || performance.now() > deadline) {
        const log = readFileSync(join(this.#folder, 'daemon.log'), 'utf8').slice(-2000);
        throw new LabError(`${hasEnded ? 'libvirtd ended' : `libvirtd: ${wrong}`}:\n${log}`);
      }
      await sleep(500);
    }
  }

  /** @param {readonly string[]} argv @returns {string} what it prints */
  virsh(...argv) {
    return execFileSync('nsenter', this.inside(...virsh, ...argv), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: virshMs,
      killSignal: 'SIGKILL',
    });
  }

  /** Arguments of nsenter that run a program where the daemon runs. @param {readonly string[]} argv */
  inside(...argv) {
    return ['--mount', `--target=${this.#holder.pid}`, '--', ...argv];
  }

  /** Starts a guest, unless it runs. @param {string} name @param {DomainOptions} [options] */
  ensureDomain(name, options = {}) {
    const { persistent = true } = options;
    if (this.names().includes(name)) return;
    const file = join(this.#folder, `${name}.xml`);
    writeFileSync(file, domainXml(name, options));
    if (!persistent) return void this.virsh('create', file);
    this.virsh('define', file);
    this.virsh('start', name);
  }

  /** Of the guests that run. */
  names() {
    return this.virsh('list', '--name')
      .split('\n')
      .filter((name) => name !== '');
  }

  /** @param {string} name */
  uuidOf(name) {
    return this.virsh('domuuid', name).trim();
  }

  /** Of its QEMU. @param {string} name */
  pidOf(name) {
    return Number(readFileSync(`/run/libvirt/qemu/${name}.pid`, 'utf8'));
  }

  /** Ends the guests and the daemon. */
  async close() {
    for (const name of this.names()) this.virsh('destroy', name);
    await this.#end('SIGTERM');
    this.#holder.stdin?.end();
    await once(this.#holder, 'exit');
    rmSync(this.#folder, { recursive: true });
  }

  async #mounted() {
    if (this.#holder.stdout === null) throw new Error('no output');
    await once(this.#holder.stdout, 'data');
  }

  /** @returns {string | null} what it has to say against being asked; null: it answers */
  #fault() {
    try {
      this.virsh('version');
      return null;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  /** @param {NodeJS.Signals} signal */
  async #end(signal) {
    const daemon = this.#daemon;
    if (daemon === null || daemon.exitCode !== null || daemon.signalCode !== null) return;
    daemon.kill(signal);
    await once(daemon, 'exit');
  }
}

/** Its command line, for `inside`. */
export const virsh = ['virsh', '--quiet', '--connect', 'qemu:///system'];

/** @param {string} name @param {DomainOptions} options */
function domainXml(name, { letsGo = true, ports = 2 }) {
  const port = "<controller type='pci' model='pcie-root-port'/>";
  return `<domain type='qemu'>
    <name>${name}</name><memory unit='MiB'>96</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='${letsGo ? 'pc-q35-6.0' : 'q35'}'>hvm</type></os>
    <features><acpi/><tcg><tb-cache unit='MiB'>32</tb-cache></tcg></features>
    <devices>
      <emulator>/usr/bin/qemu-system-x86_64</emulator>
      <controller type='pci' model='pcie-root'/>${port.repeat(ports)}
      <controller type='usb' model='none'/><memballoon model='none'/>
    </devices>
  </domain>`;
}
