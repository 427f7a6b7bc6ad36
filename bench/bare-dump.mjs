// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** The C program of c/netlink_dump.c, which keeps its socket from round to round. */
export class BareDump {
  #child;
  #lines;

  /** @param {string} program */
  constructor(program) {
    this.#child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /**
   * Dumps management devices and devices.
   *
   * @returns {Promise<{ milliseconds: number, messages: number }>} the time by its own clock
   */
  async round() {
    this.#child.stdin.write('.');
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the bare dump ended early');
    const [nanoseconds, messages] = String(value).split(' ').map(Number);
    return { milliseconds: (nanoseconds ?? Number.NaN) / 1e6, messages: messages ?? 0 };
  }

  async close() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}
