// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { virsh } from '../lab/libvirt/daemon.mjs';

/** @import { LibvirtDaemon } from '../lab/libvirt/daemon.mjs' */

/** One virsh that stays connected: what it is asked costs no start of a program. */
export class Virsh {
  #process;
  #lines;

  /** @param {LibvirtDaemon} libvirt */
  constructor(libvirt) {
    // By the line, though it is no terminal that reads them; when it is quiet it does not say what is done.
    const argv = libvirt.inside('stdbuf', '-oL', ...virsh.filter((word) => word !== '--quiet'));
    this.#process = spawn('nsenter', argv, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves when it has said that it is done. @param {string} command @param {RegExp} done */
  async run(command, done) {
    this.#process.stdin.write(`${command}\n`);
    for (;;) {
      const { value, done: ended } = await this.#lines.next();
      if (ended) throw new Error(`virsh ended in ${command}`);
      if (done.test(value)) return;
    }
  }

  async close() {
    this.#process.stdin.end();
    await once(this.#process, 'exit');
  }
}
