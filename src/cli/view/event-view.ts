import type { HostEvent, Inventory, PciFunction, ResyncReason, VdpaDevice } from '../../index.js';
import { stateCell, stateStyle } from './device-state.js';
import { healthWords } from './health-words.js';
import { layOut } from './rows.js';
import { type Cell, cell, type Style, shown, type Terminal, widthOf } from './terminal.js';
import { counted, driverWords, parentWords, summaryLine } from './words.js';

/** A stream is aligned without knowing what will come. */
const widths = ['00:00:00'.length, 'function removed'.length, '0000:65:00.0'.length];
const mostReasons = 2;

const resyncWords: Readonly<Record<ResyncReason, string>> = {
  'events-lost': 'the kernel dropped events: everything was read anew',
  'consumer-slow': 'the output was read too slowly: events were left out',
};

/** How a host stands when following it begins. */
export function inventoryLines(inventory: Inventory, time: Date, terminal: Terminal): string[] {
  const { pfs, vfs, devices } = inventory;
  const functions = `${counted(pfs.length, 'PF')}, ${counted(vfs.length, 'VF')}`;
  return line(time, ['inventory', '', cell(`${functions}; ${summaryLine(devices)}`)], terminal);
}

/** One event: when, what, which, and how it is now. */
export function eventLines(event: HostEvent, time: Date, terminal: Terminal): string[] {
  return line(time, words(event, terminal), terminal);
}

type Words = readonly [what: string, which: string, how: Cell, style?: Style];

function words(event: HostEvent, terminal: Terminal): Words {
  switch (event.type) {
    case 'unready':
      // As it was last: what it was able to do says nothing of a device on its way out.
      if (event.device.usable) return [event.type, event.device.name, cell('goes away', 'faint')];
      return ofDevice(event.type, event.device, terminal);
    case 'added':
    case 'ready':
      return ofDevice(event.type, event.device, terminal);
    case 'changed':
      return ofDevice(event.type, event.device, terminal, event.changes);
    case 'removed':
      return [event.type, event.device.name, cell(`was on ${parentWords(event.device)}`, 'faint')];
    case 'health':
      return [event.type, event.device.name, ...healthWords(event.health)];
    case 'pfAdded':
      return ['PF added', event.pf.address, cell(pfWords(event.pf))];
    case 'pfRemoved':
      return ['PF removed', event.pf.address, cell('')];
    case 'pfChanged':
      return ['PF changed', event.pf.address, cell(pfWords(event.pf) + listed(event.changes))];
    case 'vfAdded':
      return ['VF added', event.vf.address, cell(vfWords(event.vf))];
    case 'vfRemoved':
      return ['VF removed', event.vf.address, cell('')];
    case 'vfChanged':
      return ['VF changed', event.vf.address, cell(vfWords(event.vf) + listed(event.changes))];
    case 'otherFunction': {
      const { function: now, before } = event;
      const how = now === null ? '' : driverWords(now);
      return [`function ${change(before, now)}`, (now ?? before)?.address ?? '', cell(how)];
    }
    case 'managementDevice': {
      const { managementDevice: now, before } = event;
      const how = now === null ? '' : now.classes.join(' ');
      return [`mgmtdev ${change(before, now)}`, (now ?? before)?.handle ?? '', cell(how)];
    }
    case 'resync':
      return [event.type, '', cell(resyncWords[event.reason], 'caution'), 'caution'];
    default:
      return [event.type, '', cell(`${event.error.message} [${event.error.code}]`, 'bad'), 'bad'];
  }
}

function ofDevice(
  what: string,
  device: VdpaDevice,
  terminal: Terminal,
  changes: readonly string[] = [],
): Words {
  const state = stateCell(device, terminal, mostReasons);
  return [what, device.name, { ...state, text: state.text + listed(changes) }, stateStyle(device)];
}

function pfWords(pf: PciFunction & { readonly numVfs: number; readonly totalVfs: number }): string {
  return `${driverWords(pf)}, ${pf.numVfs} of ${pf.totalVfs} VFs`;
}

function vfWords(
  vf: PciFunction & { readonly vfIndex: number | null; readonly pfAddress: string },
): string {
  return `vf ${vf.vfIndex ?? '?'} of ${vf.pfAddress}, ${driverWords(vf)}`;
}

function change(before: unknown, now: unknown): string {
  return before === null ? 'added' : now === null ? 'removed' : 'changed';
}

function listed(changes: readonly string[]): string {
  return changes.length === 0 ? '' : ` (${changes.join(', ')})`;
}

function line(time: Date, [what, which, how, style]: Words, terminal: Terminal): string[] {
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
  const row = [cell(clock, 'faint'), cell(what), cell(which, style), how];
  // One that is longer than usual moves what follows, on its line alone.
  const own = widths.map((width, column) => Math.max(width, widthIn(row[column], terminal)));
  return layOut(row, own, terminal);
}

function widthIn(part: Cell | undefined, terminal: Terminal): number {
  return part === undefined ? 0 : widthOf(shown(part, terminal));
}
