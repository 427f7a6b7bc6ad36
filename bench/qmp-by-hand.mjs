// @ts-check
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { passCharDevice, QmpConnection } from './internals.mjs';

/** @import { QmpConnection as QmpConnectionType } from '../src/guest/qmp-connection.js' */

/**
 * One command of a recording, with what it was answered.
 *
 * @typedef {object} Recorded
 * @property {string} command
 * @property {Record<string, unknown>} given
 * @property {import('../src/native.js').NumberedNode | null} node what went beside it
 * @property {unknown} answer null: it was refused
 */

/**
 * Every command that the library's driver sends while something is done.
 *
 * @param {() => Promise<void>} work
 */
export async function recordQmp(work) {
  /** @type {Recorded[]} */
  const commands = [];
  const { execute, executeWith } = QmpConnection.prototype;
  /** @type {(this: QmpConnectionType, ...args: Parameters<typeof execute>) => Promise<unknown>} */
  const recordingExecute = async function (command, given, signal) {
    const recorded = { command, given, node: null, answer: /** @type {unknown} */ (null) };
    commands.push(recorded);
    recorded.answer = await execute.call(this, command, given, signal);
    return recorded.answer;
  };
  /** @type {(this: QmpConnectionType, ...args: Parameters<typeof executeWith>) => Promise<unknown>} */
  const recordingExecuteWith = async function (node, command, given, signal) {
    const answer = await executeWith.call(this, node, command, given, signal);
    commands.push({ command, given, node, answer });
    return answer;
  };
  Object.assign(QmpConnection.prototype, {
    execute: recordingExecute,
    executeWith: recordingExecuteWith,
  });
  try {
    await work();
  } finally {
    Object.assign(QmpConnection.prototype, { execute, executeWith });
  }
  return commands;
}

/** A client of QEMU's monitor that only sends lines and waits for answers. */
export class QmpByHand {
  #socket;
  #rest = '';
  /** @type {((message: Record<string, unknown>) => void)[]} */
  #answers = [];
  /** @type {Map<string, () => void>} */
  #deleted = new Map();

  /** @param {string} path */
  constructor(path) {
    this.#socket = connect(path);
    this.#socket.on('data', (chunk) => this.#read(chunk.toString()));
  }

  async open() {
    await new Promise((greeted) => {
      this.#answers.push(greeted);
    });
    await this.#ask('qmp_capabilities', {});
  }

  /**
   * Sends the commands of a recording again, one after the other; after each removal of a device waits
   * until the guest has let go of it, and at the end until its char device can be opened.
   *
   * @param {readonly Recorded[]} recording
   */
  async replay(recording) {
    let recorded = Number.NaN;
    let own = Number.NaN;
    for (const { command, given, node, answer } of recording) {
      const refused = node === null && answer === null;
      if (node !== null) {
        recorded = fdsetOf(answer);
        own = fdsetOf((await this.#askWith(node, command, given))['return']);
        continue;
      }
      const ours = JSON.parse(
        JSON.stringify(given)
          .replace(`/dev/fdset/${recorded}`, `/dev/fdset/${own}`)
          .replace(`"fdset-id":${recorded}`, `"fdset-id":${own}`),
      );
      const gone =
        command === 'device_del'
          ? new Promise((/** @type {(value?: undefined) => void} */ resolve) =>
              this.#deleted.set(String(given['id']), resolve),
            )
          : null;
      const { error } = await this.#ask(command, ours);
      if (error !== undefined && !refused) throw new Error(`${command}: ${JSON.stringify(error)}`);
      await gone;
    }
  }

  async close() {
    this.#socket.destroy();
    await once(this.#socket, 'close');
  }

  /** @param {string} command @param {object} given */
  async #ask(command, given) {
    const answered = this.#answered();
    this.#socket.write(`${requestText(command, given)}\n`);
    return await answered;
  }

  /** @param {import('../src/native.js').NumberedNode} node @param {string} command @param {object} given */
  async #askWith(node, command, given) {
    const answered = this.#answered();
    const line = `${requestText(command, given)}\n`;
    const { fd } = /** @type {{ fd: number }} */ (Reflect.get(this.#socket, '_handle'));
    await passCharDevice(fd, line, node, 10_000);
    return await answered;
  }

  /** @returns {Promise<Record<string, unknown>>} */
  #answered() {
    return new Promise((answer) => {
      this.#answers.push(answer);
    });
  }

  /** @param {string} text */
  #read(text) {
    const lines = (this.#rest + text).split('\r\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message = JSON.parse(line);
      if (message.event === 'DEVICE_DELETED') this.#deleted.get(message.data.device)?.();
      if (message.event === undefined) this.#answers.shift()?.(message);
    }
  }
}

/** Waits until a char device can be opened. @param {string} path */
export async function openable(path) {
  for (;;) {
    try {
      closeSync(openSync(path, 'r+'));
      return;
    } catch {
      await sleep(5);
    }
  }
}

/** QEMU reads its monitor byte by byte: none too many. @param {string} command @param {object} given */
function requestText(command, given) {
  const isEmpty = Object.keys(given).length === 0;
  return JSON.stringify({ execute: command, ...(!isEmpty && { arguments: given }) });
}

/** @param {unknown} answer */
function fdsetOf(answer) {
  const { 'fdset-id': fdset } = /** @type {{ 'fdset-id': number }} */ (answer);
  return fdset;
}
