import type { Socket } from 'node:net';
import { abortable } from '../abortable.js';
import { connectUnix } from '../connect-unix.js';
import { VdpaError } from '../errors.js';
import { LineSplitter } from '../line-splitter.js';
import { type NumberedNode, passCharDevice } from '../native.js';
import { descriptorOf, peerOf } from '../socket-peer.js';
import { type JsonObject, parseQmpMessage, type QmpMessage, unreadable } from './qmp-message.js';

/** Of one line of QEMU's: its schema takes some hundred thousand. */
const mostLineBytes = 32 << 20;
/** How long QEMU may take to read what is sent beside a descriptor. */
const sendMs = 10_000;

/** QEMU refused a command, with its class and in its words. Drivers make a `VdpaError` of it. */
export class QmpRefusal extends Error {
  override readonly name = 'QmpRefusal';
  readonly command: string;
  readonly errorClass: string;
  readonly description: string;

  constructor(command: string, errorClass: string, description: string) {
    super(`${command}: ${description}`);
    this.command = command;
    this.errorClass = errorClass;
    this.description = description;
  }
}

export interface QmpEvent {
  readonly event: string;
  readonly data: JsonObject;
}

interface Waiting {
  readonly command: string;
  answer(value: unknown): void;
  fail(error: unknown): void;
}

/**
 * One connection to a QEMU monitor: commands with their answers, in whatever order those come, and
 * events. It does not keep the process alive while nothing is asked.
 */
export class QmpConnection {
  /** The process at the other end when it began to listen; null when it cannot be known. */
  readonly pid: number | null;
  /** Resolves once the connection has ended. */
  readonly ended: Promise<void>;
  readonly #socket: Socket;
  readonly #place: string;
  readonly #lines = new LineSplitter(mostLineBytes);
  readonly #waiting = new Map<number, Waiting>();
  /** Ids of what was sent and not answered yet, whether somebody waits for it or not. */
  readonly #unanswered = new Set<number>();
  #version = '';
  #nextId = 0;
  #listener: (event: QmpEvent) => void = () => {};
  /** Resolves when what was last to be sent has been handed over. */
  #sending: Promise<void> = Promise.resolve();
  #greeted: { done(version: string): void; fail(error: unknown): void } | null = null;
  #dead: VdpaError | null = null;

  /**
   * Resolves when QEMU takes commands.
   *
   * @throws {VdpaError} `GUEST_UNREACHABLE` (with errno ENOENT or ECONNREFUSED when nobody listens),
   *   `PERMISSION_DENIED`, `GUEST_PROTOCOL`
   */
  static async open(place: string, signal: AbortSignal): Promise<QmpConnection> {
    signal.throwIfAborted();
    const socket = await connectUnix(place).catch((error: unknown) => {
      throw notConnected(place, error);
    });
    const connection = new QmpConnection(place, socket);
    try {
      connection.#version = await abortable(connection.#greeting(), signal);
      await connection.execute('qmp_capabilities', {}, signal);
      return connection;
    } catch (error) {
      connection.destroy();
      if (!(error instanceof QmpRefusal)) throw error;
      throw unreadable(error.message);
    }
  }

  private constructor(place: string, socket: Socket) {
    this.#place = place;
    this.#socket = socket;
    this.pid = pidOf(socket);
    socket.unref();
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => this.#die(this.#lost(error)));
    this.ended = new Promise((done) => {
      socket.once('close', () => {
        this.#die(this.#lost());
        done();
      });
    });
  }

  /** As QEMU greets: numbers and dots. */
  get version(): string {
    return this.#version;
  }

  get alive(): boolean {
    return this.#dead === null;
  }

  /** Who is told of events; one at a time. */
  listen(listener: (event: QmpEvent) => void): void {
    this.#listener = listener;
  }

  /**
   * Asks, and resolves with what QEMU returns. After an abort QEMU carries the command out all the same:
   * in order, before all that is asked later.
   *
   * @throws {QmpRefusal}
   * @throws {VdpaError} `GUEST_UNREACHABLE`, `GUEST_PROTOCOL`
   */
  async execute(command: string, given: JsonObject, signal: AbortSignal): Promise<unknown> {
    return await this.#ask(command, given, signal, async (line) => {
      this.#socket.write(line);
    });
  }

  /**
   * As `execute`, with a char device that is opened for it and that QEMU gets beside the command.
   *
   * @throws as `passCharDevice`; the connection lives on unless sending itself failed
   */
  async executeWith(
    node: NumberedNode,
    command: string,
    given: JsonObject,
    signal: AbortSignal,
  ): Promise<unknown> {
    return await this.#ask(command, given, signal, async (line) => {
      await this.#drained();
      await this.#pass(line, node);
    });
  }

  /** Ends the connection. Idempotent. */
  destroy(): void {
    this.#socket.destroy();
    this.#die(new VdpaError('CLOSED', 'the connection has been closed'));
  }

  async #ask(
    command: string,
    given: JsonObject,
    signal: AbortSignal,
    send: (line: string) => Promise<void>,
  ): Promise<unknown> {
    signal.throwIfAborted();
    const id = this.#newId();
    const line = `${requestText(command, given, id)}\n`;
    const answered = new Promise((answer, fail) => {
      this.#waiting.set(id, { command, answer, fail });
    });
    answered.catch(() => {}); // before it is waited for
    if (this.#waiting.size === 1) this.#socket.ref();
    try {
      // One after the other: while a descriptor is being sent, nothing else may be.
      const sent = this.#sending.then(async () => {
        signal.throwIfAborted();
        if (this.#dead !== null) throw this.#dead;
        this.#unanswered.add(id);
        try {
          await send(line);
        } catch (error) {
          this.#unanswered.delete(id); // it was not sent whole
          throw error;
        }
      });
      this.#sending = sent.catch(() => {});
      await abortable(sent, signal);
      return await abortable(answered, signal);
    } finally {
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#socket.unref();
    }
  }

  /** Short ones: QEMU reads its monitor byte by byte. */
  #newId(): number {
    if (this.#unanswered.size === 0 && this.#waiting.size === 0) this.#nextId = 0;
    return this.#nextId++;
  }

  async #pass(line: string, node: NumberedNode): Promise<void> {
    try {
      await passCharDevice(descriptorOf(this.#socket), line, node, sendMs);
    } catch (error) {
      // Part of the line may have gone: whatever came next would be read as the rest of it.
      if (error instanceof VdpaError && error.step?.startsWith('sendmsg')) {
        this.#die(this.#lost(error));
        this.#socket.destroy();
      }
      throw error;
    }
  }

  /** Resolves when everything written has been handed to the kernel. */
  async #drained(): Promise<void> {
    if (this.#socket.writableLength === 0) return;
    // Nothing is written beside: this callback comes after those of all writes before.
    await new Promise<void>((done) => this.#socket.write('', () => done()));
  }

  #greeting(): Promise<string> {
    return new Promise((done, fail) => {
      this.#greeted = { done, fail };
      if (this.#dead !== null) fail(this.#dead);
    });
  }

  #read(chunk: Buffer): void {
    this.#lines.push(chunk);
    try {
      for (let line = this.#lines.next(); line !== null; line = this.#lines.next()) {
        this.#take(parseQmpMessage(line));
      }
    } catch (error) {
      this.#die(error instanceof VdpaError ? error : unreadable(String(error)));
      this.#socket.destroy();
    }
  }

  #take(message: QmpMessage): void {
    if (message.kind === 'event') {
      this.#listener(message);
    } else if (message.kind === 'greeting') {
      this.#greeted?.done(message.version);
    } else if (message.id === null) {
      throw unreadable('it could not read a command');
    } else {
      this.#unanswered.delete(message.id);
      // Of one that is not there any more, nobody waits for the answer.
      const waiting = this.#waiting.get(message.id);
      if (message.kind === 'return') waiting?.answer(message.value);
      else waiting?.fail(new QmpRefusal(waiting.command, message.errorClass, message.description));
    }
  }

  #die(why: VdpaError): void {
    if (this.#dead !== null) return;
    this.#dead = why;
    this.#greeted?.fail(why);
    for (const { fail } of this.#waiting.values()) fail(why);
  }

  #lost(cause?: Error): VdpaError {
    const errno = (cause as NodeJS.ErrnoException | undefined)?.code;
    return new VdpaError('GUEST_UNREACHABLE', `the monitor at ${this.#place} has gone`, {
      ...(errno?.startsWith('E') && { errno }),
      retry: 'later',
      outcome: 'unknown',
      cause,
    });
  }
}

function requestText(command: string, given: JsonObject, id: number): string {
  const isEmpty = Object.keys(given).length === 0;
  return JSON.stringify({ execute: command, ...(!isEmpty && { arguments: given }), id });
}

function pidOf(socket: Socket): number | null {
  try {
    const { pid } = peerOf(socket);
    return pid === 0 ? null : pid;
  } catch {
    return null; // it has ended again
  }
}

function notConnected(place: string, error: unknown): VdpaError {
  const { code, message } = error as NodeJS.ErrnoException;
  const details = { errno: code, step: `connect to ${place}`, cause: error };
  if (code === 'EACCES' || code === 'EPERM') {
    return new VdpaError(
      'PERMISSION_DENIED',
      `the monitor at ${place} is not this user's: run as root, or as who runs QEMU`,
      details,
    );
  }
  return new VdpaError('GUEST_UNREACHABLE', `no monitor answers at ${place}: ${message}`, {
    ...details,
    retry: 'later',
  });
}
