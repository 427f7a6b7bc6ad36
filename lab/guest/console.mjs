// SPDX-License-Identifier: Apache-2.0
// @ts-check
// The console of a guest that somebody else has started: a socket, and all that it has said in a file.

import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export class GuestConsole {
  #path;

  /** @param {string} path of its socket; `.log` is added to that of the file */
  constructor(path) {
    this.#path = path;
  }

  /** Arguments of QEMU that give a guest this console. It is then the serial port `chardev:console`. */
  get arguments() {
    const listening = `path=${this.#path},server=on,wait=off`;
    const logged = `logfile=${this.#path}.log,logappend=on`;
    return ['-chardev', `socket,id=console,${listening},${logged}`];
  }

  /** The interfaces that it has now: a word for each; null before it has said so. */
  get nics() {
    return this.#said('nics:').at(-1)?.trim() ?? null;
  }

  /** How often it has said which it has: once when it has started, and when that changes. */
  get tellings() {
    return this.#said('nics:').length;
  }

  /**
   * What a shell command says inside, in one line.
   *
   * @param {string} command
   */
  async say(command) {
    const before = this.#said('said: ').length;
    const socket = connect(this.#path);
    await once(socket, 'connect');
    try {
      // What is not read would hold the guest up.
      socket.resume();
      socket.write(`echo "said: $(${command})"\n`);
      for (;;) {
        const answer = this.#said('said: ')[before];
        if (answer !== undefined) return answer;
        await sleep(20);
      }
    } finally {
      socket.destroy();
    }
  }

  /**
   * The whole lines that begin so, without that.
   *
   * @param {string} beginning
   */
  #said(beginning) {
    const file = `${this.#path}.log`;
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split(/\r?\n/).slice(0, -1);
    return lines
      .filter((line) => line.startsWith(beginning))
      .map((line) => line.slice(beginning.length));
  }
}
