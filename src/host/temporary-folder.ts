import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Those that are to go when this process, or this worker, ends in its own time. */
const folders = new Set<string>();

function removeAll(): void {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** A folder of this process alone (mode 0700), which goes with its user at the latest. */
export class TemporaryFolder {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async make(prefix: string): Promise<TemporaryFolder> {
    const folder = new TemporaryFolder(await mkdtemp(join(tmpdir(), prefix)));
    if (folders.size === 0) process.on('exit', removeAll);
    folders.add(folder.path);
    return folder;
  }

  /** With all that is in it; links in it are removed, not followed. Idempotent. */
  async remove(): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
    folders.delete(this.path);
    if (folders.size === 0) process.removeListener('exit', removeAll);
  }
}
