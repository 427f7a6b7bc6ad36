import type { UnusableReason, VdpaDevice } from '../../index.js';
import { type Cell, cell, type Style, type Terminal } from './terminal.js';

/**
 * How a device stands: ready, one step away or in the host's own hands, in a state nobody wants, or
 * of a kind that is not given to guests.
 */
export type StateLevel = 'usable' | 'caution' | 'wrong' | 'excluded';

export interface ReasonText {
  readonly level: Exclude<StateLevel, 'usable'>;
  /** What stands in a table. */
  readonly words: string;
  /** What to do about it, or why nothing can be done. */
  readonly cure: string;
}

/** Every reason in words. */
export const reasonTexts: Readonly<Record<UnusableReason, ReasonText>> = {
  'software-parent': {
    level: 'excluded',
    words: 'software device',
    cure: 'made for tests or by a process of this host: not handed out',
  },
  'scalable-function-parent': {
    level: 'excluded',
    words: 'on a scalable function',
    cure: 'only devices of VFs are handed out',
  },
  'pf-parent': {
    level: 'excluded',
    words: 'on a PF',
    cure: 'it would take the whole port: make VFs, and the device on one of them',
  },
  'not-a-vf': {
    level: 'excluded',
    words: 'not on a VF of this machine',
    cure: 'only devices of VFs are handed out',
  },
  'not-virtio-net': {
    level: 'excluded',
    words: 'not a network device',
    cure: 'only devices of class net are handed out',
  },
  unmanaged: {
    level: 'wrong',
    words: 'unknown to the vdpa family',
    cure: 'its driver registers devices outside of the family: the class cannot be asked',
  },
  'parent-shared': {
    level: 'wrong',
    words: 'shares its parent with another device',
    cure: 'delete the other device: the device id does not say which of them is meant',
  },
  'bound-to-virtio-vdpa': {
    level: 'caution',
    words: 'held by the host (virtio_vdpa)',
    cure: 'the host uses it itself: unbind it from virtio_vdpa, then bind it to vhost_vdpa',
  },
  'not-bound': {
    level: 'caution',
    words: 'not bound to a driver',
    cure: 'write its name to /sys/bus/vdpa/drivers/vhost_vdpa/bind',
  },
  'bound-to-other-driver': {
    level: 'wrong',
    words: 'bound to another driver',
    cure: 'unbind it from that driver, then bind it to vhost_vdpa',
  },
  'no-char-device': {
    level: 'wrong',
    words: 'no char device',
    cure: 'bound a moment ago, or the driver failed: look again, then see the kernel log',
  },
  'no-node': {
    level: 'wrong',
    words: 'no node below /dev',
    cure: 'mount devtmpfs on /dev, or make the device visible in this container',
  },
  'node-mismatch': {
    level: 'wrong',
    words: 'another node below /dev',
    cure: 'remove the stale file and make the node again with the numbers that sysfs shows',
  },
};

const styles: Readonly<Record<StateLevel, Style>> = {
  usable: 'good',
  caution: 'caution',
  wrong: 'bad',
  excluded: 'faint',
};

/** Colour alone must not carry the meaning. */
const marks: Readonly<Record<StateLevel, { readonly unicode: string; readonly ascii: string }>> = {
  usable: { unicode: '✓', ascii: '+' },
  caution: { unicode: '!', ascii: '!' },
  wrong: { unicode: '✗', ascii: 'x' },
  excluded: { unicode: '–', ascii: '-' },
};

/** The worst of a device's reasons decides. */
function stateLevel({ usable, reasons }: VdpaDevice): StateLevel {
  if (usable) return 'usable';
  const levels = reasons.map((reason) => reasonTexts[reason].level);
  return levels.includes('wrong') ? 'wrong' : levels.includes('caution') ? 'caution' : 'excluded';
}

/** The state in words: `usable`, or what stands against it, worst first. */
export function stateWords(device: VdpaDevice, most = Number.POSITIVE_INFINITY): string {
  if (device.usable) return 'usable';
  const level = stateLevel(device);
  const texts = device.reasons.map((reason) => reasonTexts[reason]);
  const sorted = [
    ...texts.filter((text) => text.level === level),
    ...texts.filter((text) => text.level !== level),
  ].map(({ words }) => words);
  const rest = sorted.length - most;
  return sorted.slice(0, most).join(', ') + (rest > 0 ? `, ${rest} more` : '');
}

export function stateStyle(device: VdpaDevice): Style {
  return styles[stateLevel(device)];
}

/** Mark and words. */
export function stateCell(device: VdpaDevice, terminal: Terminal, most?: number): Cell {
  return cell(`${stateMark(device, terminal)} ${stateWords(device, most)}`, stateStyle(device));
}

export function stateMark(device: VdpaDevice, terminal: Terminal): string {
  return markOf(stateLevel(device), terminal);
}

export function markOf(level: StateLevel, { unicode }: Terminal): string {
  return unicode ? marks[level].unicode : marks[level].ascii;
}
