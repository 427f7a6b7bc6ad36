import type { StoreCheck } from '../../tracker/store-check.js';
import { holderText } from '../../tracker/store-holder.js';
import { markOf } from './device-state.js';
import { tableLines } from './rows.js';
import { cell, type Terminal } from './terminal.js';
import { counted } from './words.js';

/** Whether the store is sound, what is in it, whose it is, and each fault with its cure. */
export function storeCheckLines(
  { file, holder, content, faults }: StoreCheck,
  terminal: Terminal,
): string[] {
  const head =
    faults.length === 0
      ? cell(`${markOf('usable', terminal)} sound`, 'good')
      : cell(`${markOf('wrong', terminal)} ${counted(faults.length, 'fault')}`, 'bad');
  const facts =
    content === null
      ? []
      : [
          `${counted(content.devices, 'device')}, ${counted(content.claims, 'claim')}`,
          `revision ${content.revision}, last fence ${content.fence}, schema ${content.schema}`,
          `epoch ${content.epoch}`,
        ];
  const owner = holder === null ? 'nobody owns it now' : `owned by ${holderText(holder)}`;
  const below = (text: string) => [cell(''), cell(text)];
  return tableLines(
    [
      [head, cell(file)],
      ...[...facts, owner].map(below),
      ...faults.flatMap(({ message, cure }) => [
        [cell('fault', 'bad'), cell(message)],
        [cell(''), cell(`cure: ${cure}`, 'strong')],
      ]),
    ],
    terminal,
  );
}
