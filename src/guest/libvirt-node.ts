import { readFile, stat } from 'node:fs/promises';
import type { NumberedNode } from '../native.js';
import type { InterfaceName } from './interface-name.js';
import { type DomainView, interfaceIn } from './libvirt-guest.js';
import { openCharDevices } from './memory-lock.js';

/**
 * The char device that QEMU has open for an interface; null when it has none, or that is not to be seen.
 * While QEMU has it open neither the path nor the number can be another device's.
 */
export async function openNode(
  { domainName, running, next }: DomainView,
  name: InterfaceName,
): Promise<NumberedNode | null> {
  const shown = interfaceIn(running, name)?.source ?? null;
  if (shown !== null) return await nodeAt(shown);
  // The guest has let go, and QEMU may not have yet; or the path is another's by now.
  const path = interfaceIn(next, name)?.source ?? null;
  if (running === null || path === null) return null;
  if (running.interfaces.some(({ source }) => source === path)) return null;
  const pid = await pidOf(domainName);
  return pid !== null && openCharDevices(pid)?.has(path) ? await nodeAt(path) : null;
}

/** Of a guest's QEMU; null where it is not to be seen: only root sees that of the system's own daemon. */
export async function pidOf(domainName: string): Promise<number | null> {
  const text = await readFile(`/run/libvirt/qemu/${domainName}.pid`, 'utf8').catch(() => null);
  return text === null ? null : Number.parseInt(text, 10);
}

/** The char device at a path as it is now; null when there is none. */
async function nodeAt(path: string): Promise<NumberedNode | null> {
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isCharacterDevice()) return null;
  // As the kernel puts the two numbers together for user space.
  const major = (found.rdev >>> 8) & 0xfff;
  const minor = (found.rdev & 0xff) | ((found.rdev >>> 12) & 0xfff00);
  return { path, major, minor };
}
