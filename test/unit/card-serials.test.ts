import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { CardSerials } from '../../src/host/card-serials.js';
import { inventory, pf, vf } from './cli/support/inventory.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'serials-'));
});
afterEach(() => {
  rmSync(root, { recursive: true });
});

const first = pf('0000:65:00.0');
const second = pf('0000:b3:00.0');

function fileOf(address: string): string {
  const folder = join(root, 'sys/bus/pci/devices', address);
  mkdirSync(folder, { recursive: true });
  return join(folder, 'vpd');
}

/** A read-only part with nothing but the serial number. */
function give(address: string, serial: string): void {
  const length = serial.length + 3;
  const bytes = [Buffer.of(0x90, length, 0), Buffer.from('SN'), Buffer.of(serial.length)];
  writeFileSync(fileOf(address), Buffer.concat([...bytes, Buffer.from(serial)]));
}

test('a function has that of its own file, and is asked once for as long as it is there', async () => {
  const serials = new CardSerials(root);
  give(first.address, 'CARD1');
  expect([...(await serials.of(inventory({ pfs: [first, second] })))]).toEqual([
    [first.address, 'CARD1'],
  ]);
  give(first.address, 'OTHER');
  give(second.address, 'CARD2');
  expect((await serials.of(inventory({ pfs: [first, second] }))).get(first.address)).toBe('CARD1');
  expect((await serials.of(inventory({ pfs: [second] }))).size).toBe(0);
  expect((await serials.of(inventory({ pfs: [first] }))).get(first.address)).toBe('OTHER');
});

test('a VF is asked when its PF says nothing', async () => {
  const mute = vf(second, 0);
  const spared = vf(first, 0);
  give(first.address, 'CARD1');
  give(mute.address, 'CARD2');
  give(spared.address, 'CARD3');
  const found = await new CardSerials(root).of(
    inventory({ pfs: [first, second], vfs: [spared, mute] }),
  );
  expect([...found]).toEqual([
    [first.address, 'CARD1'],
    [mute.address, 'CARD2'],
  ]);
});

test('what is no file has none, and keeps nobody waiting', async () => {
  execFileSync('mkfifo', [fileOf(first.address)]);
  mkdirSync(fileOf(second.address));
  expect((await new CardSerials(root).of(inventory({ pfs: [first, second] }))).size).toBe(0);
});

test('of a file without an end only so much is read as there can be', async () => {
  writeFileSync(fileOf(first.address), Buffer.alloc(100_000));
  truncateSync(fileOf(first.address), 2 ** 40);
  expect((await new CardSerials(root).of(inventory({ pfs: [first] }))).size).toBe(0);
});

test('what cannot be read is told once', async () => {
  symlinkSync('vpd', fileOf(first.address));
  const told: unknown[] = [];
  const note = (details: object, message: string) => told.push({ ...details, message });
  const serials = new CardSerials(root, { info: note, warn: note, error: note });
  for (let times = 0; times < 2; times++) await serials.of(inventory({ pfs: [first] }));
  expect(told).toEqual([
    {
      err: expect.objectContaining({ code: 'ELOOP' }),
      pci: first.address,
      message: "a card's serial number cannot be read",
    },
  ]);
});
