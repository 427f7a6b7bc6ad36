import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { z } from 'zod';
import { AgentError } from './agent-error.js';
import { linesOf } from './lines.js';

const answerMs = 30_000;

const message = z.looseObject({
  return: z.unknown().optional(),
  error: z.looseObject({ desc: z.string() }).optional(),
  event: z.string().optional(),
});

type Message = z.infer<typeof message>;

/** A QMP monitor of a QEMU, which serves one client at a time. One command after the other. */
export class Monitor implements Disposable {
  readonly #path: string;
  readonly #socket: Socket;
  readonly #lines: AsyncIterator<string, undefined>;

  private constructor(path: string, socket: Socket) {
    this.#path = path;
    this.#socket = socket;
    this.#lines = linesOf(socket.setEncoding('utf8'));
  }

  /** @throws {AgentError} `MONITOR_LOST` when nobody listens there, or does not greet */
  static async open(path: string): Promise<Monitor> {
    const monitor = new Monitor(path, connect({ path }));
    try {
      await monitor.#connected();
      await monitor.#next();
      await monitor.ask('qmp_capabilities');
      return monitor;
    } catch (error) {
      monitor[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws {AgentError} `MONITOR_REFUSED` with QEMU's own words, `MONITOR_LOST` */
  async ask(command: string, given: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: given })}\n`);
    for (;;) {
      const answer = await this.#next();
      if (answer.event !== undefined) continue;
      if (answer.error === undefined) return answer.return;
      throw new AgentError('MONITOR_REFUSED', `QEMU refused ${command}: ${answer.error.desc}`);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #connected(): Promise<void> {
    try {
      await once(this.#socket, 'connect');
    } catch (cause) {
      throw this.#lost(cause);
    }
    // It is told by the next read as well.
    this.#socket.on('error', () => {});
  }

  async #next(): Promise<Message> {
    const late = new Error(`no answer in ${answerMs / 1000} seconds`);
    const timeout = setTimeout(() => this.#socket.destroy(late), answerMs);
    try {
      const { value } = await this.#lines.next();
      if (value === undefined) throw new Error('QEMU closed it');
      return message.parse(JSON.parse(value));
    } catch (cause) {
      throw this.#lost(cause);
    } finally {
      clearTimeout(timeout);
    }
  }

  #lost(cause: unknown): AgentError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new AgentError('MONITOR_LOST', `monitor ${this.#path}: ${why}`, { cause });
  }
}
