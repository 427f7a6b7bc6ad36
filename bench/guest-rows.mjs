// @ts-check
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabGuest } from './lab-guest.mjs';
import { interfaceName, QmpDriver, VdpaHost } from './library.mjs';
import { openable, QmpByHand, recordQmp } from './qmp-by-hand.mjs';
import { atMost, timesRow } from './row.mjs';
import { alternate, timed } from './statistics.mjs';

/** @import { DeviceId, InstanceId, ClaimId } from '../src/index.js' */
/** @import { WantedInterface } from '../src/guest/index.js' */

const rounds = 15;
const together = 8;

/**
 * What going into a guest and out of it costs, with QEMU's own time on both sides.
 *
 * @param {readonly string[]} devices ids, as many as guests are tried together at least
 */
export async function guestRows(devices) {
  const folder = mkdtempSync(join(tmpdir(), 'guests-'));
  /** @type {LabGuest[]} */
  const guests = [];
  /** @param {number} count */
  const startUpTo = async (count) => {
    while (guests.length < count) guests.push(new LabGuest(folder, `vm${guests.length}`));
    await Promise.all(guests.map((guest) => guest.ready()));
  };
  const driver = new QmpDriver({ monitor: join(folder, '{guest}.qmp') });
  const host = await VdpaHost.open();
  const wanted = devices.slice(0, together).map((id) => {
    const deviceId = /** @type {DeviceId} */ (id);
    const { charDevice } = host.resolve(deviceId);
    const name = interfaceName(/** @type {ClaimId} */ ('bench'), deviceId);
    return { name, deviceId, charDevice, mac: '02:00:00:00:be:ef', queuePairs: 1, mtu: null };
  });
  /** @param {number} index */
  const throughGuest = async (index) => {
    const guest = /** @type {InstanceId} */ (`vm${index}`);
    const one = /** @type {WantedInterface} */ (wanted[index]);
    await driver.attach(guest, one);
    await driver.detach(guest, one.name);
  };
  try {
    // On its own: others would take turns on the lab's one processor with whoever rests.
    await startUpTo(1);
    const rows = [await againstHand(guests, wanted, () => throughGuest(0))];
    await startUpTo(together);
    rows.push(await inParallel(throughGuest));
    return rows;
  } finally {
    await driver.close();
    await host.close();
    await Promise.all(guests.map((guest) => guest.close()));
    rmSync(folder, { recursive: true });
  }
}

/**
 * @param {readonly LabGuest[]} guests
 * @param {readonly WantedInterface[]} wanted
 * @param {() => Promise<void>} through
 */
async function againstHand([guest], [one], through) {
  if (guest === undefined || one === undefined) throw new Error('no guest, or no device');
  await through(); // from now on it is connected
  const recording = await recordQmp(through);
  const hand = new QmpByHand(guest.monitors.hand);
  await hand.open();
  const both = await alternate(
    rounds,
    () => timed(through),
    () =>
      timed(async () => {
        await hand.replay(recording);
        await openable(one.charDevice.path);
      }),
  );
  await hand.close();
  return timesRow('attach and detach over QMP / the same commands by hand', 1, both, atMost(1.1));
}

/** @param {(index: number) => Promise<void>} through */
async function inParallel(through) {
  const indices = Array.from({ length: together }, (_, index) => index);
  const both = await alternate(
    5,
    () => timed(async () => void (await Promise.all(indices.map(through)))),
    () =>
      timed(async () => {
        for (const index of indices) await through(index);
      }),
  );
  return timesRow(
    `attach and detach of ${together} guests in parallel / one after the other`,
    together,
    both,
  );
}
