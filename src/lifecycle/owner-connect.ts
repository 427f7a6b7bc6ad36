import type { Socket } from 'node:net';
import { resolve } from 'node:path';
import { connectUnix } from '../connect-unix.js';
import { VdpaError } from '../errors.js';
import { isTrusted, peerOf } from '../socket-peer.js';

/**
 * Connects to who listens at a path, and makes sure that it is root or of this process's user: another
 * would be told of claims, and give away devices that are not its own.
 *
 * @throws {VdpaError} `OWNER_UNREACHABLE`, `PERMISSION_DENIED`
 */
export async function connectSocket(path: string): Promise<Socket> {
  const place = resolve(path);
  let socket: Socket | null = null;
  try {
    socket = await connectUnix(place);
    const peer = peerOf(socket);
    if (isTrusted(peer)) return socket;
    throw new VdpaError(
      'PERMISSION_DENIED',
      `at ${place} listens process ${peer.pid} of user ${peer.uid}, neither root nor user ${process.geteuid?.()}: it is not asked for anything`,
    );
  } catch (error) {
    socket?.destroy();
    throw error instanceof VdpaError ? error : notConnected(place, error);
  }
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
