import { chmodSync, lstatSync, mkdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join, resolve } from 'node:path';
import { VdpaError } from '../errors.js';
import { SocketFolder } from '../socket-folder.js';
import type { ClaimDesk } from './claim-desk.js';
import type { ServedDesk } from './desk-calls.js';
import type { GuestDesk } from './guest-desk.js';
import { OwnerPeer } from './owner-peer.js';

/** Further ones are closed at once, and may come again. */
const mostPeers = 256;
const socketName = 'socket';

/**
 * Where the process that owns a store lets others speak to it: a unix socket of mode 0600, for root
 * and for the owner's own user. What is said there is in docs/agent.md.
 */
export class OwnerSocket implements AsyncDisposable {
  readonly path: string;
  readonly #server: Server;
  readonly #folder: SocketFolder;
  readonly #peers = new Set<OwnerPeer>();
  /** Of the socket's file. */
  readonly #inode: bigint;
  #closing: Promise<void> | null = null;

  /**
   * Listens for as long as it is open. Whoever calls this holds the store's lock: a socket that is there
   * already has lost its owner, and is replaced.
   *
   * @param path of the store, with `.sock` after it; however long
   * @param claims is asked what the peers ask
   * @param guests likewise; null: of guests nothing may be asked
   * @throws {VdpaError} `OWNER_SOCKET_FAILED`
   */
  static async listen(
    path: string,
    claims: ClaimDesk,
    guests: GuestDesk | null = null,
  ): Promise<OwnerSocket> {
    const place = resolve(path);
    const fresh = `${place}.new`;
    let folder: SocketFolder | null = null;
    const server = createServer({ allowHalfOpen: true });
    server.maxConnections = mostPeers;
    try {
      assertReplaceable(place);
      rmSync(fresh, { recursive: true, force: true });
      // The socket is made where nobody else can reach it, and comes out with its permissions set.
      mkdirSync(fresh, { mode: 0o700 });
      folder = new SocketFolder(fresh);
      await listening(server, folder.pathOf(socketName));
      const made = join(fresh, socketName);
      chmodSync(made, 0o600);
      const { ino } = lstatSync(made, { bigint: true });
      renameSync(made, place);
      const owner = new OwnerSocket(place, { claims, guests }, server, folder, ino);
      rmdirSync(fresh);
      return owner;
    } catch (error) {
      server.close();
      folder?.close();
      rmSync(fresh, { recursive: true, force: true });
      throw notMade(place, error);
    }
  }

  private constructor(
    path: string,
    desk: ServedDesk,
    server: Server,
    folder: SocketFolder,
    inode: bigint,
  ) {
    this.path = path;
    this.#server = server;
    this.#folder = folder;
    this.#inode = inode;
    server.on('connection', (socket) => {
      const peer = new OwnerPeer(socket, desk);
      this.#peers.add(peer);
      peer.done.then(() => this.#peers.delete(peer));
      if (this.#closing !== null) peer.finish();
    });
    // A connection that could not be taken (no descriptor is left): its peer may come again.
    server.on('error', () => {});
  }

  /**
   * Takes the socket away, finishes what is under way and ends the connections. To be called before the
   * store is closed. Idempotent.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#end();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #end(): Promise<void> {
    const there = lstatSync(this.path, { bigint: true, throwIfNoEntry: false });
    if (there?.ino === this.#inode) rmSync(this.path, { force: true });
    const closed = new Promise((done) => this.#server.close(done));
    for (const peer of this.#peers) peer.finish();
    await closed;
    await Promise.all([...this.#peers].map(({ done }) => done));
    // Not before: the server removes the path that it was made at, which leads through the folder.
    this.#folder.close();
  }
}

function assertReplaceable(place: string): void {
  const there = lstatSync(place, { throwIfNoEntry: false });
  if (there === undefined || there.isSocket()) return;
  throw Object.assign(new Error('there is something else already: move it away'), {
    code: 'EEXIST',
  });
}

/** Exclusive: of a cluster's worker the socket would be the cluster's. */
function listening(server: Server, path: string): Promise<void> {
  return new Promise((done, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, () => {
      server.off('error', reject);
      done();
    });
  });
}

function notMade(place: string, error: unknown): VdpaError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new VdpaError(
    'OWNER_SOCKET_FAILED',
    `the store's owner cannot listen at ${place}: ${message}`,
    { errno: code, step: `listen at ${place}`, cause: error },
  );
}
