import { type ChildProcess, spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { VdpaError } from '../errors.js';
import { libvirtProgram } from '../native.js';
import { MessageSplitter, netstringOf } from './netstring.js';

/** Of one answer: libvirt's own limit for a text is a quarter of that, and an answer has two. */
const mostMessageBytes = 16 << 20;
/** Of calls that nobody waits for any more; the program makes one more at a time. */
const mostForsaken = 3;

/** Libvirt refused a call, in its own numbers and words. Drivers make a `VdpaError` of it. */
export class LibvirtRefusal extends Error {
  override readonly name = 'LibvirtRefusal';
  readonly call: string;
  /** One of libvirt's `virErrorNumber`. */
  readonly code: number;
  /** One of libvirt's `virErrorDomain`: the part of it that refused. */
  readonly domain: number;

  constructor(call: string, code: number, domain: number, message: string) {
    super(message);
    this.call = call;
    this.code = code;
    this.domain = domain;
  }
}

export interface LibvirtEvent {
  /** `kept`: the guest was asked to let go of the device, and refused; `stopped`: it has ended. */
  readonly type: 'added' | 'removed' | 'kept' | 'stopped';
  readonly uuid: string;
  readonly domainName: string;
  /** Of the device; null for a guest that has stopped. */
  readonly alias: string | null;
}

export interface LibvirtPlace {
  /** Such as `qemu:///system`. */
  readonly uri: string;
  /** What the dynamic loader looks for. */
  readonly library: string;
}

interface Waiting {
  readonly call: string;
  answer(fields: string[]): void;
  fail(error: unknown): void;
  forsaken: boolean;
}

/** As sockets are, of which Node makes pipes. */
interface Referable {
  ref?(): void;
  unref?(): void;
}

const eventTypes: ReadonlySet<string> = new Set(['added', 'removed', 'kept', 'stopped']);

/**
 * One process with one connection to libvirt's daemon (native/libvirt). When either ends, so does the
 * other. It does not keep this process alive.
 */
export class LibvirtProcess {
  /** Resolves when libvirt has answered; rejects when it did not. */
  readonly opened: Promise<void>;
  /** Resolves once the process has ended and everybody has been told. */
  readonly ended: Promise<void>;
  readonly #place: LibvirtPlace;
  readonly #child: ChildProcess;
  readonly #input: Writable | null;
  readonly #tell: (event: LibvirtEvent) => void;
  readonly #splitter = new MessageSplitter(mostMessageBytes);
  readonly #waiting = new Map<string, Waiting>();
  #asked = 0;
  #opening: { done(): void; fail(error: VdpaError): void } | null = null;
  #isOpen = false;
  #why: VdpaError | null = null;
  #over = false;

  /** @throws {VdpaError} `ADDON_MISSING` */
  constructor(place: LibvirtPlace, tell: (event: LibvirtEvent) => void) {
    this.#place = place;
    this.#tell = tell;
    // Of a group of its own: what ends this process's group (Ctrl-C) lets what is under way be undone.
    this.#child = spawn(libvirtProgram(), [place.library, place.uri], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
      cwd: '/',
    });
    this.#input = this.#child.stdin;
    this.opened = new Promise((done, fail) => {
      this.#opening = { done, fail };
    });
    // Whoever asks is told; nobody need be there.
    this.opened.catch(() => {});
    this.ended = new Promise((done) => {
      const end = (why: string): void => {
        this.#end(why);
        done();
      };
      this.#child.once('error', ({ message }) => end(message));
      this.#child.once('close', () => end('its connection ended'));
    });
    this.#input?.on('error', () => {}); // it has ended, which is told apart
    this.#child.stdout?.on('data', (piece: Buffer) => this.#read(piece));
    this.#keepAlive(false);
  }

  /**
   * Asks for something (native/libvirt/connection.h).
   *
   * @param signal ends the waiting, not the call
   * @throws {LibvirtRefusal}
   * @throws {VdpaError} `GUEST_UNREACHABLE`: it may have been done all the same
   */
  async ask(words: readonly [string, ...string[]], signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    if (this.#over) throw this.#unreachable();
    const id = `${++this.#asked}`;
    return await new Promise((answer, fail) => {
      const forsake = (): void => {
        waiting.forsaken = true;
        fail(signal.reason);
        this.#shedForsaken();
      };
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T): void => {
          signal.removeEventListener('abort', forsake);
          settle(value);
        };
      };
      const waiting: Waiting = {
        call: words[0],
        answer: settled(answer),
        fail: settled(fail),
        forsaken: false,
      };
      this.#waiting.set(id, waiting);
      signal.addEventListener('abort', forsake, { once: true });
      this.#input?.write(netstringOf([id, ...words]));
    });
  }

  /** Ends it at once, whatever it is doing. Resolves when everybody has been told, for which this process stays. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    this.#keepAlive(true);
    await this.ended;
  }

  /** Whether the process that was started, and its pipes, are a reason for this one to stay. */
  #keepAlive(reason: boolean): void {
    const pipes = [this.#child.stdin, this.#child.stdout] as (Referable | null)[];
    for (const one of [this.#child, ...pipes]) {
      if (reason) one?.ref?.();
      else one?.unref?.();
    }
  }

  #read(piece: Buffer): void {
    try {
      for (const fields of this.#splitter.push(piece)) this.#take(fields);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      this.#child.kill('SIGKILL');
    }
  }

  #take([id, kind, ...fields]: string[]): void {
    if (id === '') this.#takeOwn(kind, fields);
    if (id === '' || id === undefined) return;
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiting === undefined) return;
    const [first = '', second = '', message = ''] = fields;
    if (kind === 'ok') waiting.answer(fields);
    else if (kind === 'lost') waiting.fail(this.#unreachable(first));
    else waiting.fail(new LibvirtRefusal(waiting.call, Number(first), Number(second), message));
  }

  #takeOwn(kind: string | undefined, fields: readonly string[]): void {
    const [first = '', second = '', third] = fields;
    if (kind === 'open') this.#takeOpen();
    else if (kind === 'missing') this.#why = libraryMissing(this.#place, first);
    else if (kind === 'unopened') this.#why = this.#unopened(Number(first), third ?? '');
    else if (kind !== undefined && eventTypes.has(kind)) {
      const type = kind as LibvirtEvent['type'];
      this.#tell({ type, uuid: first, domainName: second, alias: third ?? null });
    }
  }

  #takeOpen(): void {
    this.#isOpen = true;
    this.#opening?.done();
  }

  #unopened(code: number, message: string): VdpaError {
    // VIR_ERR_AUTH_FAILED, VIR_ERR_AUTH_CANCELLED, VIR_ERR_ACCESS_DENIED, VIR_ERR_AUTH_UNAVAILABLE
    const denied = [45, 79, 88, 94].includes(code) || /: Permission denied$/.test(message);
    if (!denied) return this.#unreachable(message);
    return new VdpaError(
      'PERMISSION_DENIED',
      `libvirt at ${this.#place.uri} does not let this user in: ${message}`,
      { step: this.#connecting },
    );
  }

  #unreachable(why = ''): VdpaError {
    return new VdpaError(
      'GUEST_UNREACHABLE',
      `libvirt at ${this.#place.uri} cannot be reached${why === '' ? '' : `: ${why}`}`,
      { retry: 'later', outcome: 'unknown', step: this.#isOpen ? undefined : this.#connecting },
    );
  }

  get #connecting(): string {
    return `connect to ${this.#place.uri}`;
  }

  /** With all of the program's threads in calls that nobody waits for, nobody else would be served. */
  #shedForsaken(): void {
    const forsaken = [...this.#waiting.values()].filter((waiting) => waiting.forsaken);
    if (forsaken.length >= mostForsaken) this.#child.kill('SIGKILL');
  }

  #end(why: string): void {
    if (this.#over) return;
    this.#over = true;
    const error = this.#why ?? this.#unreachable(why);
    this.#opening?.fail(error);
    for (const waiting of this.#waiting.values()) waiting.fail(error);
    this.#waiting.clear();
  }
}

function libraryMissing({ library }: LibvirtPlace, why: string): VdpaError {
  return new VdpaError(
    'LIBVIRT_MISSING',
    `libvirt's library ${library} is not to be had (${why}): install libvirt0, of 6.9.0 or later`,
    { step: 'dlopen', retry: 'after-fix' },
  );
}
