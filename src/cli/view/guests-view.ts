import type { GuestInterface } from '../../guest/guest-interface.js';
import type { AttachedClaim } from '../../lifecycle/attach-claim.js';
import type { DetachedClaim, GuestListing } from '../../lifecycle/guest-desk.js';
import { tableLines } from './rows.js';
import { type Cell, cell, type Terminal } from './terminal.js';
import { counted } from './words.js';

const headings = ['CLAIM', 'DEVICE', 'MAC', 'QUEUES', 'CHAR DEVICE', 'STATE'];

/** A row for each interface, and one for a guest that has none or cannot be asked. */
export function guestsLines(listings: readonly GuestListing[], terminal: Terminal): string[] {
  if (listings.length === 0) {
    return ['no guest: the configuration names none (`guests`), and no claim is in one'];
  }
  return tableLines(
    [head('GUEST', ...headings), ...listings.flatMap((listing) => guestRows(listing))],
    terminal,
  );
}

/** What the guest has now. */
export function attachLines(
  guest: string,
  attached: readonly AttachedClaim[],
  terminal: Terminal,
): string[] {
  const interfaces = attached.flatMap((one) => one.interfaces);
  return [
    `${guest} has ${counted(interfaces.length, 'device')}`,
    ...tableLines([head(...headings), ...interfaces.map(interfaceCells)], terminal),
  ];
}

export function detachLines(
  detached: readonly DetachedClaim[],
  released: boolean,
  terminal: Terminal,
): string[] {
  const after = released ? 'given back' : 'still claimed';
  return tableLines(
    detached.flatMap(({ claim, guest, devices }) => [
      [cell(`claim ${claim}: out of ${guest ?? 'no guest, it was in none'}, and ${after}`)],
      ...devices.map((id) => [cell(`  ${id}`)]),
    ]),
    terminal,
  );
}

function guestRows({ guest, claims, interfaces, error }: GuestListing): Cell[][] {
  if (error !== null) {
    return [[cell(guest), cell(claims.join(', ')), ...blank(4), cell(error.message, 'bad')]];
  }
  if (interfaces.length === 0) {
    return [[cell(guest), cell(claims.join(', ')), cell('none', 'faint')]];
  }
  return interfaces.map((one, index) => [cell(index === 0 ? guest : ''), ...interfaceCells(one)]);
}

function interfaceCells({
  name,
  claimId,
  deviceId,
  mac,
  queuePairs,
  charDevice,
  state,
}: GuestInterface): Cell[] {
  return [
    cell(claimId ?? '-'),
    cell(deviceId ?? name),
    cell(mac ?? '-'),
    cell(queuePairs === null ? '-' : String(queuePairs)),
    cell(charDevice ?? '-'),
    state === 'attached' ? cell(state, 'good') : cell(state, 'bad'),
  ];
}

function head(...words: readonly string[]): Cell[] {
  return words.map((word) => cell(word, 'strong'));
}

function blank(count: number): Cell[] {
  return Array.from({ length: count }, () => cell(''));
}
