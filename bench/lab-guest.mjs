// @ts-check
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { spawnGuest } from '../lab/guest/spawn-guest.mjs';

/** A guest in QEMU in which nobody but the firmware runs: it lets go of what it has at once. */
export class LabGuest {
  id;
  /** The driver's monitor, and one for who works by hand. */
  monitors;
  #process;

  /** @param {string} folder @param {string} id */
  constructor(folder, id) {
    this.id = id;
    this.monitors = {
      driver: join(folder, `${id}.qmp`),
      hand: join(folder, `${id}.hand`),
    };
    const monitors = Object.values(this.monitors);
    this.#process = spawnGuest({ monitors }, ['ignore', 'ignore', 'inherit']);
  }

  async ready() {
    while (!existsSync(this.monitors.hand)) {
      if (this.#process.exitCode !== null) throw new Error('QEMU ended');
      await sleep(50);
    }
  }

  async close() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    this.#process.kill('SIGKILL');
    await once(this.#process, 'exit');
  }
}
