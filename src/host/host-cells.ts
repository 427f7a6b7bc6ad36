import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One NUMA node of the host. */
export interface HostCell {
  readonly id: number;
  /** Number of the processor package that its processors are in; null when the machine does not say. */
  readonly socket: number | null;
}

/**
 * The host's NUMA nodes, in order of their numbers; null when the machine has none to tell of. Of
 * /sys/devices/system/node and /sys/devices/system/cpu.
 *
 * @param root as of `VdpaHost.open`; a capture has none
 */
export async function readHostCells(root: string): Promise<HostCell[] | null> {
  const system = join(root, 'sys/devices/system');
  const names = await readdir(join(system, 'node')).catch(() => []);
  const ids = names.flatMap((name) => /^node(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  if (ids.length === 0) return null;
  return await Promise.all(
    ids.sort((a, b) => a - b).map(async (id) => ({ id, socket: await socketOf(system, id) })),
  );
}

/** A node without processors is on no socket. */
async function socketOf(system: string, node: number): Promise<number | null> {
  const list = await text(join(system, `node/node${node}/cpulist`));
  const cpu = /^\d+/.exec(list ?? '')?.[0];
  if (cpu === undefined) return null;
  const socket = await text(join(system, `cpu/cpu${cpu}/topology/physical_package_id`));
  return socket !== null && /^\d+$/.test(socket) ? Number(socket) : null;
}

async function text(path: string): Promise<string | null> {
  return await readFile(path, 'utf8').then(
    (content) => content.trim(),
    () => null,
  );
}
