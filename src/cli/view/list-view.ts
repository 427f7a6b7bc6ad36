import type { Inventory, VdpaDevice } from '../../index.js';
import { stateCell, stateStyle } from './device-state.js';
import { emptyHostLines, inconsistentLine } from './empty-host.js';
import { escapeText } from './escape.js';
import { tableLines } from './rows.js';
import { type Cell, cell, paint, type Terminal } from './terminal.js';
import { parentWords } from './words.js';

const headings = ['NAME', 'CLASS', 'PARENT', 'DRIVER', 'CHAR DEVICE', 'NUMA', 'STATE'];
/** More than two reasons are in `vdpa-host show`. */
const mostReasons = 2;

/** The table of vDPA devices. */
export function listLines(inventory: Inventory, terminal: Terminal): string[] {
  const { devices, consistent } = inventory;
  const table =
    devices.length === 0
      ? emptyHostLines(inventory).map((line) => escapeText(line, !terminal.unicode))
      : tableLines(
          [
            headings.map((heading) => cell(heading, 'strong')),
            ...devices.map((device) => deviceRow(device, terminal)),
          ],
          terminal,
        );
  return consistent ? table : [...table, '', paint(inconsistentLine, 'caution', terminal)];
}

function deviceRow(device: VdpaDevice, terminal: Terminal): Cell[] {
  return [
    cell(device.name, stateStyle(device)),
    cell(device.class ?? '-'),
    cell(parentWords(device)),
    cell(device.driver ?? '-'),
    cell(device.charDevice?.path ?? '-'),
    cell(`${device.parent.numaNode ?? '-'}`),
    stateCell(device, terminal, mostReasons),
  ];
}
