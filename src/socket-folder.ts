import { closeSync, constants, openSync } from 'node:fs';

/** What a socket's address has room for, with the NUL at its end. */
const mostPathBytes = 108;

/** Whether a socket's address has room for the path as it is. */
export function fitsAddress(path: string): boolean {
  return Buffer.byteLength(path) < mostPathBytes;
}

/** A folder held open, so that sockets in it have short paths, however long its own is. */
export class SocketFolder {
  readonly #fd: number;

  /** Throws the system's error. */
  constructor(path: string) {
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  }

  /** Good until `close`, in this process. */
  pathOf(name: string): string {
    return `/proc/self/fd/${this.#fd}/${name}`;
  }

  close(): void {
    closeSync(this.#fd);
  }
}
