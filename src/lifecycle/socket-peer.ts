import type { Socket } from 'node:net';
import { VdpaError } from '../errors.js';
import { type PeerCredentials, peerCredentials } from '../native.js';

/**
 * Who is at the other end of a connected unix socket.
 *
 * @throws {VdpaError} `CLOSED` when it is connected no longer, those of `peerCredentials`
 */
export function peerOf(socket: Socket): PeerCredentials {
  // Node tells the descriptor of a socket nowhere else.
  const { _handle: handle } = socket as unknown as { _handle: { fd?: number } | null };
  const fd = handle?.fd ?? -1;
  if (fd < 0) throw new VdpaError('CLOSED', 'the connection has ended', { retry: 'later' });
  return peerCredentials(fd);
}

/** Whether one process may trust another over the socket: root, and those of the same user. */
export function isTrusted({ uid }: PeerCredentials): boolean {
  return uid === 0 || uid === process.geteuid?.();
}
