import { stat } from 'node:fs/promises';
import type { TemporaryFolder } from './temporary-folder.js';

/**
 * Unpacks what a root names when that is a file: a capture. Null for a folder, and for what is
 * nothing: its reader says so.
 *
 * @throws {VdpaError} `CAPTURE_INVALID`, `CAPTURE_TOO_NEW`, `RESOURCE_EXHAUSTED`, `ROOT_INVALID`
 */
export async function unpackIfFile(root: string): Promise<TemporaryFolder | null> {
  const isFile = await stat(root).then(
    (status) => status.isFile(),
    () => false,
  );
  if (!isFile) return null;
  const { unpackCapture } = await import('./unpack-capture.js');
  return await unpackCapture(root);
}
