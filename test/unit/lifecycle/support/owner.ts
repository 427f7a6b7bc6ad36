import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ClaimDesk } from '../../../../src/lifecycle/claim-desk.js';
import { OwnerSocket } from '../../../../src/lifecycle/owner-socket.js';
import type { ReportedDevice } from '../../../../src/policy/reported-device.js';
import type { Tracker } from '../../../../src/tracker/tracker.js';
import { deskOf } from '../../../support/tracker-desk.mjs';
import { card } from '../../tracker/support/devices.js';
import { FaultyStore } from '../../tracker/support/faulty-store.js';
import { trackerOf } from '../../tracker/support/hosts.js';

/** A folder that goes with its block. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'vdpa-host-owner-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** An owner of a host's devices, at a socket in a folder of its own. */
export class Owner implements AsyncDisposable {
  readonly folder: Folder;
  readonly path: string;
  readonly store: FaultyStore;
  readonly tracker: Tracker;
  readonly socket: OwnerSocket;

  private constructor(folder: Folder, store: FaultyStore, tracker: Tracker, socket: OwnerSocket) {
    this.folder = folder;
    this.path = socket.path;
    this.store = store;
    this.tracker = tracker;
    this.socket = socket;
  }

  /** @param changed what of the desk is not the tracker's */
  static async of(
    devices: readonly ReportedDevice[] = card('06', 4),
    changed: Partial<ClaimDesk> = {},
  ): Promise<Owner> {
    const folder = new Folder();
    const store = new FaultyStore();
    const tracker = await trackerOf(devices, { store });
    const desk = { ...deskOf(tracker), ...changed };
    const socket = await OwnerSocket.listen(join(folder.path, 'store.sock'), desk);
    return new Owner(folder, store, tracker, socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.socket.close();
    await this.tracker.close();
    this.folder[Symbol.dispose]();
  }
}

type Document = Readonly<Record<string, unknown>>;

/** One who speaks to an owner by hand. */
export class RawPeer implements AsyncDisposable {
  readonly socket: Socket;
  readonly #lines: AsyncIterator<string>;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on('error', () => {});
    this.#lines = createInterface({ input: this.socket })[Symbol.asyncIterator]();
  }

  /** One that has been greeted. */
  static async greeted(path: string): Promise<RawPeer> {
    const peer = new RawPeer(path);
    await peer.read();
    return peer;
  }

  send(...documents: readonly unknown[]): void {
    this.write(documents.map((document) => `${JSON.stringify(document)}\n`).join(''));
  }

  write(bytes: string | Uint8Array): void {
    this.socket.write(bytes);
  }

  /** The next line; null at the end. */
  async read(): Promise<Document | null> {
    const { done, value } = await this.#lines.next();
    return done === true ? null : JSON.parse(value);
  }

  /** Sends one line, and reads one. */
  async ask(document: unknown): Promise<Document | null> {
    this.send(document);
    return await this.read();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy();
  }
}

/** Resolves when it is so: what another process or thread does takes its time. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(setImmediate);
}

/** Runs it as another user: what the kernel notes of who connects or listens is of this moment. */
export function asUser<T>(uid: number, work: () => T): T {
  if (process.geteuid?.() !== 0) throw new Error('only root can be another user');
  process.seteuid?.(uid);
  try {
    return work();
  } finally {
    process.seteuid?.(0);
  }
}
