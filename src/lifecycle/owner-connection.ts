import type { Socket } from 'node:net';
import { VdpaError } from '../errors.js';
import { LineSplitter } from '../line-splitter.js';
import { connectSocket } from './owner-connect.js';
import {
  type Cancel,
  fromWire,
  mostRequestBytes,
  parseLine,
  protocolError,
  protocolName,
  protocolVersion,
  type Request,
  type WireError,
} from './owner-protocol.js';

/** Of one answer: a host's records are some megabytes. */
const mostAnswerBytes = 256 << 20;

/** One question to the owner. */
export interface Question {
  readonly verb: string;
  readonly arguments: object;
  /** What cannot be known when no answer comes, and what to do then; null when nothing is changed by it. */
  readonly doubt: { readonly text: string; readonly leftovers: readonly string[] } | null;
  readonly signal?: AbortSignal | undefined;
  /** How long the owner may say nothing of it. Default: the connection's. */
  readonly timeoutMs?: number | undefined;
  readonly onStep?: ((what: string) => void) | undefined;
}

export interface ConnectionOptions {
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly greetingMs: number;
}

interface Waiting {
  readonly question: Question;
  /** The owner is at it: its time begins anew. */
  alive(): void;
  answer(value: unknown): void;
  fail(error: unknown): void;
}

/** Questions and answers over one connection to a store's owner. */
export class OwnerConnection {
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #socket: Socket;
  readonly #lines = new LineSplitter(mostAnswerBytes);
  readonly #waiting = new Map<number, Waiting>();
  readonly #closed: Promise<void>;
  #greeted: { done(): void; fail(error: VdpaError): void } | null = null;
  #idle: () => void = () => {};
  #asked = 0;
  /** Why nothing can be asked any more. */
  #dead: VdpaError | null = null;
  /** Whether the owner has said that it has begun nothing that it does not answer. */
  #farewell = false;
  #closing: Promise<void> | null = null;

  /** Resolves when the owner has greeted. @throws as `OwnerClient.connect` */
  static async open(
    path: string,
    { signal, timeoutMs, greetingMs }: ConnectionOptions,
  ): Promise<OwnerConnection> {
    signal?.throwIfAborted();
    const socket = await connectSocket(path);
    const connection = new OwnerConnection(path, timeoutMs, socket);
    try {
      await connection.#greeting(greetingMs, signal);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    socket.unref();
    return connection;
  }

  private constructor(path: string, timeoutMs: number, socket: Socket) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#die(this.#lost(error)));
    this.#closed = new Promise((done) => {
      socket.once('close', () => {
        this.#die(this.#lost());
        done();
      });
    });
  }

  /** Rejects with what the owner's call rejected with, or says what is not known. */
  async ask(question: Question): Promise<unknown> {
    const { signal, verb } = question;
    signal?.throwIfAborted();
    if (this.#closing !== null) throw new VdpaError('CLOSED', 'the connection has been closed');
    if (this.#dead !== null) throw this.#dead;
    const id = this.#asked++;
    const request: Request = { id, verb, arguments: question.arguments };
    const line = `${JSON.stringify(request)}\n`;
    if (Buffer.byteLength(line) > mostRequestBytes) {
      throw new TypeError(`${verb}: the arguments take more than ${mostRequestBytes} bytes`);
    }
    const timeoutMs = question.timeoutMs ?? this.#timeoutMs;
    let timer = this.#timer(id, timeoutMs);
    const alive = (): void => {
      clearTimeout(timer);
      timer = this.#timer(id, timeoutMs);
    };
    const cancel = (): void => {
      alive();
      this.#socket.write(`${JSON.stringify({ cancel: id } satisfies Cancel)}\n`);
    };
    signal?.addEventListener('abort', cancel, { once: true });
    this.#socket.ref();
    try {
      return await new Promise((answer, fail) => {
        this.#waiting.set(id, { question, alive, answer, fail });
        this.#socket.write(line);
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) {
        this.#socket.unref();
        this.#idle();
      }
    }
  }

  /** Waits for the answers that are due, and ends the connection. Idempotent. */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async #end(): Promise<void> {
    if (this.#waiting.size > 0) {
      await new Promise<void>((idle) => {
        this.#idle = idle;
      });
    }
    this.#socket.ref();
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), this.#timeoutMs);
    await this.#closed;
    clearTimeout(timer);
  }

  async #greeting(timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let onAbort = (): void => {};
    try {
      await new Promise<void>((done, fail) => {
        this.#greeted = { done, fail };
        if (this.#dead !== null) fail(this.#dead);
        timer = setTimeout(() => fail(this.#silent(timeoutMs)), timeoutMs);
        onAbort = () => fail(signal?.reason);
        signal?.addEventListener('abort', onAbort, { once: true });
        if (signal?.aborted === true) onAbort(); // while it was being connected
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      this.#greeted = null;
    }
  }

  /** What has arrived while this process was busy is read before the time is up. */
  #timer(id: number, timeoutMs: number): NodeJS.Timeout {
    return setTimeout(() => {
      setImmediate(() => {
        const waiting = this.#waiting.get(id);
        waiting?.fail(this.#inDoubt(waiting.question, this.#silent(timeoutMs)));
      });
    }, timeoutMs);
  }

  #read(chunk: Buffer): void {
    this.#lines.push(chunk);
    try {
      for (let line = this.#lines.next(); line !== null; line = this.#lines.next()) {
        this.#take(parseLine(line));
      }
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#die(error instanceof VdpaError ? error : protocolError(what));
      this.#socket.destroy();
    }
  }

  #take(document: Readonly<Record<string, unknown>>): void {
    if ('protocol' in document) {
      this.#greet(document);
    } else if ('closing' in document) {
      this.#farewell = true;
    } else if (typeof document['id'] === 'number' && typeof document['step'] === 'string') {
      const waiting = this.#waiting.get(document['id']);
      waiting?.alive();
      waiting?.question.onStep?.(document['step']);
    } else if (typeof document['id'] === 'number') {
      this.#answer(this.#waiting.get(document['id']), document);
    } else {
      // Of no request: the owner does not want to hear any more.
      throw fromWire(document['error'] as Exclude<WireError, { type: 'Aborted' }>);
    }
  }

  #greet({ protocol, version }: Readonly<Record<string, unknown>>): void {
    if (protocol !== protocolName) throw protocolError(`${this.#path} is no socket of an owner`);
    if (version !== protocolVersion) {
      throw protocolError(
        `the owner at ${this.#path} speaks version ${version} of the protocol, and this program version ${protocolVersion}: use the same vdpa-host`,
      );
    }
    this.#greeted?.done();
  }

  #answer(waiting: Waiting | undefined, document: Readonly<Record<string, unknown>>): void {
    if (waiting === undefined) return; // its time was up
    if (!('error' in document)) {
      waiting.answer(document['value']);
      return;
    }
    const error = document['error'] as WireError;
    waiting.fail(error.type === 'Aborted' ? waiting.question.signal?.reason : fromWire(error));
  }

  #die(why: VdpaError): void {
    if (this.#dead !== null) return;
    this.#dead = why;
    this.#greeted?.fail(why);
    for (const { question, fail } of this.#waiting.values()) fail(this.#inDoubt(question, why));
  }

  #lost(cause?: NodeJS.ErrnoException): VdpaError {
    return unreachable(`the store's owner at ${this.#path} has ended the connection`, {
      errno: cause?.code,
      cause,
    });
  }

  #silent(timeoutMs: number): VdpaError {
    return unreachable(`the store's owner at ${this.#path} has not answered for ${timeoutMs} ms`);
  }

  #inDoubt({ verb, doubt }: Question, why: VdpaError): VdpaError {
    const { code, message, errno, retry } = why;
    if (doubt === null || this.#farewell) {
      return new VdpaError(code, `${verb}: ${message}; nothing was done: ask again`, {
        errno,
        retry,
        cause: why,
      });
    }
    return new VdpaError(code, `${verb}: ${message}; ${doubt.text}`, {
      errno,
      retry,
      outcome: 'unknown',
      leftovers: doubt.leftovers,
      cause: why,
    });
  }
}

function unreachable(
  message: string,
  details: { errno?: string | undefined; cause?: unknown } = {},
): VdpaError {
  return new VdpaError('OWNER_UNREACHABLE', message, { ...details, retry: 'later' });
}
