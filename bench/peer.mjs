// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/**
 * The other side of a comparison, a process of its own that works on demand: each byte it is sent is
 * one round, and it answers with a line of the milliseconds by its own clock and the number of
 * things it got. So neither side pays for the other's memory, nor for its processes: after a fork,
 * every page that the parent writes is copied first.
 */
export class Peer {
  #child;
  #lines;

  /** @param {string} command @param {readonly string[]} [args] */
  constructor(command, args = []) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async round() {
    this.#child.stdin.write('.');
    const { value, done } = await this.#lines.next();
    const [milliseconds = Number.NaN, count = 0] = done ? [] : String(value).split(' ').map(Number);
    if (Number.isNaN(milliseconds)) throw new Error('the other side of a comparison ended early');
    return { milliseconds, count };
  }

  async close() {
    this.#child.stdin.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}
