import type { Socket } from 'node:net';
import { VdpaError } from './errors.js';
import { type PeerCredentials, peerCredentials } from './native.js';

/**
 * The descriptor of a connected socket. Node's own: it is closed, and its number another file's, as soon
 * as the socket is.
 *
 * @throws {VdpaError} `CLOSED` when it is connected no longer
 */
export function descriptorOf(socket: Socket): number {
  // Node tells it nowhere else.
  const { _handle: handle } = socket as unknown as { _handle: { fd?: number } | null };
  const fd = handle?.fd ?? -1;
  if (fd < 0) throw new VdpaError('CLOSED', 'the connection has ended', { retry: 'later' });
  return fd;
}

/**
 * Who is at the other end of a connected unix socket.
 *
 * @throws {VdpaError} `CLOSED` when it is connected no longer, those of `peerCredentials`
 */
export function peerOf(socket: Socket): PeerCredentials {
  return peerCredentials(descriptorOf(socket));
}

/** Whether one process may trust another over the socket: root, and those of the same user. */
export function isTrusted({ uid }: PeerCredentials): boolean {
  return uid === 0 || uid === process.geteuid?.();
}
