import { connect, type Socket } from 'node:net';
import { basename, dirname, resolve } from 'node:path';
import { fitsAddress, SocketFolder } from './socket-folder.js';

/** Connects to who listens at a path, however long it is. Rejects with the system's error. */
export async function connectUnix(path: string): Promise<Socket> {
  const place = resolve(path);
  const folder = fitsAddress(place) ? null : new SocketFolder(dirname(place));
  try {
    return await connected(folder?.pathOf(basename(place)) ?? place);
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
