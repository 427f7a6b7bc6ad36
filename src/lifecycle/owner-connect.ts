import { connect, type Socket } from 'node:net';
import { basename, dirname, resolve } from 'node:path';
import { VdpaError } from '../errors.js';
import { fitsAddress, SocketFolder } from './socket-folder.js';
import { isTrusted, peerOf } from './socket-peer.js';

/**
 * Connects to who listens at a path, and makes sure that it is root or of this process's user: another
 * would be told of claims, and give away devices that are not its own.
 *
 * @throws {VdpaError} `OWNER_UNREACHABLE`, `PERMISSION_DENIED`
 */
export async function connectSocket(path: string): Promise<Socket> {
  const place = resolve(path);
  let folder: SocketFolder | null = null;
  let socket: Socket | null = null;
  try {
    if (!fitsAddress(place)) folder = new SocketFolder(dirname(place));
    socket = await connected(folder?.pathOf(basename(place)) ?? place);
    const peer = peerOf(socket);
    if (isTrusted(peer)) return socket;
    throw new VdpaError(
      'PERMISSION_DENIED',
      `at ${place} listens process ${peer.pid} of user ${peer.uid}, neither root nor user ${process.geteuid?.()}: it is not asked for anything`,
    );
  } catch (error) {
    socket?.destroy();
    throw error instanceof VdpaError ? error : notConnected(place, error);
  } finally {
    folder?.close();
  }
}

function connected(path: string): Promise<Socket> {
  return new Promise((done, fail) => {
    const socket = connect({ path });
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.off('error', fail);
      done(socket);
    });
  });
}

function notConnected(place: string, error: unknown): VdpaError {
  const { code, message } = error as NodeJS.ErrnoException;
  const details = { errno: code, step: `connect to ${place}`, cause: error };
  if (code === 'EACCES' || code === 'EPERM') {
    return new VdpaError(
      'PERMISSION_DENIED',
      `the socket ${place} is another user's: run as root, or as the store's owner`,
      details,
    );
  }
  const absent = code === 'ENOENT' || code === 'ECONNREFUSED';
  return new VdpaError(
    'OWNER_UNREACHABLE',
    absent
      ? `nobody listens at ${place}: the store's owner is not running, or is starting or ending`
      : `the store's owner cannot be reached at ${place}: ${message}`,
    { ...details, retry: 'later' },
  );
}
