import type { Socket } from 'node:net';
import { VdpaError } from '../errors.js';
import { LineSplitter } from '../line-splitter.js';
import { isTrusted, peerOf } from '../socket-peer.js';
import { parseDeskCall, type ServedDesk } from './desk-calls.js';
import {
  type Answer,
  type Farewell,
  type Greeting,
  mostRequestBytes,
  type Progress,
  parseLine,
  protocolError,
  protocolName,
  protocolVersion,
  toWire,
} from './owner-protocol.js';

/** Requests of one peer that may be under way; further ones are not read. */
const mostRunning = 32;
/** What a peer that is sent away has to read its last line. */
const leavingMs = 1000;

/** One who speaks to the owner. Nothing that it sends, or fails to read, is felt by another. */
export class OwnerPeer {
  /** Resolves when the connection has ended, and with it all that it asked for. */
  readonly done: Promise<void>;
  readonly #socket: Socket;
  readonly #desk: ServedDesk;
  readonly #lines = new LineSplitter(mostRequestBytes);
  readonly #running = new Map<number, AbortController>();
  /** Whether it does not read what it was answered: until it does, nothing of it is begun. */
  #slow = false;
  /** `ended`: it sends no more. `closing`: it is heard no more. `gone`: it has been told the last. */
  #state: 'open' | 'ended' | 'closing' | 'gone' = 'open';
  #settle: () => void = () => {};

  constructor(socket: Socket, desk: ServedDesk) {
    this.#socket = socket;
    this.#desk = desk;
    this.done = new Promise((resolve) => {
      this.#settle = () => {
        if (this.#running.size === 0 && socket.closed) resolve();
      };
    });
    // A peer that goes away is no fault; what it asked for is done all the same.
    socket.on('error', () => {});
    socket.on('close', () => this.#settle());
    const refusal = refusalOf(socket);
    if (refusal !== null) {
      this.#sendAway({ id: null, error: toWire(refusal) });
      socket.resume();
      return;
    }
    this.#write({ protocol: protocolName, version: protocolVersion });
    socket.on('data', (chunk) => {
      if (this.#state !== 'open') return;
      this.#lines.push(chunk);
      this.#work();
    });
    socket.on('end', () => {
      if (this.#state === 'open') this.#state = 'ended';
      this.#work();
    });
    socket.on('drain', () => {
      this.#slow = false;
      this.#work();
    });
  }

  /** Hears no more, finishes what is under way, and ends the connection. */
  finish(): void {
    if (this.#state !== 'gone') this.#state = 'closing';
    this.#work();
  }

  #work(): void {
    try {
      while (this.#mayBegin()) {
        const line = this.#lines.next();
        if (line === null) break;
        if (line.length > 0) this.#hear(line);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#sendAway({ id: null, error: toWire(protocolError(error.message)) });
    }
    this.#endIfDone();
    // What has not been read waits in the kernel, and then with the peer.
    if (this.#state !== 'open' || this.#mayBegin()) this.#socket.resume();
    else this.#socket.pause();
  }

  #mayBegin(): boolean {
    const open = this.#state === 'open' || this.#state === 'ended';
    const heard = open && !this.#socket.destroyed;
    return heard && !this.#slow && this.#running.size < mostRunning;
  }

  #endIfDone(): void {
    if (this.#running.size > 0 || this.#state === 'open' || this.#state === 'gone') return;
    if (this.#state === 'closing') {
      this.#sendAway({ closing: true });
    } else if (!this.#slow) {
      // All lines have been heard.
      if (this.#lines.unfinished) this.#refuse(null, protocolError('a line has no end'));
      this.#state = 'gone';
      this.#socket.end();
    }
  }

  #sendAway(last: Answer | Farewell): void {
    this.#state = 'gone';
    this.#socket.end(`${JSON.stringify(last)}\n`);
    // What it sends meanwhile is read and dropped: otherwise the kernel would take its last line away.
    const timer = setTimeout(() => this.#socket.destroy(), leavingMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #hear(line: Buffer): void {
    let id: number | null = null;
    try {
      const document = parseLine(line);
      if ('cancel' in document) {
        this.#running.get(idIn(document, 'cancel', ['cancel']))?.abort();
        return;
      }
      const asked = idIn(document, 'id', ['id', 'verb', 'arguments']);
      if (this.#running.has(asked)) throw protocolError(`a request ${asked} is under way already`);
      id = asked;
      const { verb, arguments: given = {} } = document;
      if (typeof verb !== 'string') throw protocolError('verb: expected a text');
      this.#begin(asked, parseDeskCall(verb, given));
    } catch (error) {
      this.#refuse(id, error);
    }
  }

  async #begin(id: number, call: ReturnType<typeof parseDeskCall>): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#running.set(id, controller);
    try {
      const onStep = (step: string): void => this.#write({ id, step });
      const value = await call(this.#desk, { signal, onStep });
      this.#running.delete(id);
      this.#write({ id, value });
    } catch (error) {
      this.#running.delete(id);
      const aborted = signal.aborted && error === signal.reason;
      if (aborted) this.#write({ id, error: { type: 'Aborted' } });
      else this.#refuse(id, error);
    }
    this.#work();
    this.#settle();
  }

  #refuse(id: number | null, error: unknown): void {
    this.#write({ id, error: toWire(error) });
  }

  #write(document: Answer | Greeting | Progress): void {
    if (!this.#socket.writable) return;
    if (!this.#socket.write(`${JSON.stringify(document)}\n`)) this.#slow = true;
  }
}

function refusalOf(socket: Socket): VdpaError | null {
  try {
    const peer = peerOf(socket);
    if (isTrusted(peer)) return null;
    return new VdpaError(
      'PERMISSION_DENIED',
      `process ${peer.pid} of user ${peer.uid} may not speak to the store's owner: root may, and user ${process.geteuid?.()}`,
    );
  } catch (error) {
    if (error instanceof VdpaError) return error;
    throw error;
  }
}

/** @throws {VdpaError} `OWNER_PROTOCOL` */
function idIn(
  document: Readonly<Record<string, unknown>>,
  key: string,
  known: readonly string[],
): number {
  const id = document[key];
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id < 0) {
    throw protocolError(`${key}: expected a whole number, 0 or more`);
  }
  const unknown = Object.keys(document).filter((found) => !known.includes(found));
  if (unknown.length > 0) {
    throw protocolError(`unknown keys: ${unknown.join(', ').slice(0, 200)}`);
  }
  return id;
}
