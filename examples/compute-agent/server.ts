import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type Server as NetServer, type Socket } from 'node:net';
import { z } from 'zod';
import { AgentError, toldError } from './agent-error.js';
import { linesOf } from './lines.js';
import type { Log } from './log.js';

const request = z.strictObject({
  id: z.union([z.int(), z.string()]),
  verb: z.string(),
  arguments: z.unknown().default({}),
});

type Request = z.infer<typeof request>;

export type Handler = (verb: string, given: unknown) => Promise<unknown>;

/**
 * Answers on a unix socket, a JSON document for each line: `{"id", "verb", "arguments"}` is answered with
 * `{"id", "value"}` or `{"id", "error": {"code", "message"}}`, in the order in which they are done.
 */
export class Server {
  readonly #server: NetServer;
  readonly #handler: Handler;
  readonly #log: Log;
  readonly #sockets = new Set<Socket>();
  readonly #underWay = new Set<Promise<void>>();
  #closing = false;

  private constructor(handler: Handler, log: Log) {
    this.#handler = handler;
    this.#log = log;
    this.#server = createServer((socket) => void this.#serve(socket));
  }

  /** In place of a socket that a killed agent has left: who calls this has made sure that it is alone. */
  static async listen(path: string, handler: Handler, log: Log): Promise<Server> {
    await rm(path, { force: true });
    const server = new Server(handler, log);
    // The socket is made within the call: nobody else may speak to it, at no time.
    const before = process.umask(0o177);
    try {
      server.#server.listen(path);
    } finally {
      process.umask(before);
    }
    await once(server.#server, 'listening');
    return server;
  }

  /** Answers what is under way, and nothing else. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    while (this.#underWay.size > 0) await Promise.all(this.#underWay);
    for (const socket of this.#sockets) socket.destroySoon();
    await closed;
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    try {
      for await (const line of linesOf(socket.setEncoding('utf8'))) {
        if (!this.#closing) this.#take(socket, line);
      }
    } catch (error) {
      if (!this.#closing) this.#log.warn({ error }, 'connection lost');
    }
  }

  #take(socket: Socket, line: string): void {
    const answered = this.#answer(line).then((answer) => {
      if (socket.writable) socket.write(`${JSON.stringify(answer)}\n`);
    });
    this.#underWay.add(answered);
    void answered.finally(() => this.#underWay.delete(answered));
  }

  async #answer(line: string): Promise<object> {
    let id: Request['id'] | null = null;
    try {
      const { verb, arguments: given, ...asked } = parsed(line);
      id = asked.id;
      this.#log.info({ verb, given }, 'asked');
      return { id, value: (await this.#handler(verb, given)) ?? null };
    } catch (error) {
      this.#log.error({ id, error }, 'failed');
      return { id, error: toldError(error) };
    }
  }
}

/** @throws {AgentError} `ARGUMENTS_INVALID` */
function parsed(line: string): Request {
  try {
    return request.parse(JSON.parse(line));
  } catch (cause) {
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new AgentError('ARGUMENTS_INVALID', why, { cause });
  }
}
