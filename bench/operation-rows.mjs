// @ts-check
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LabGuest } from './lab-guest.mjs';
import { InstanceOperations, QmpDriver, SqliteStore, VdpaHost } from './library.mjs';
import { openable, QmpByHand, recordQmp } from './qmp-by-hand.mjs';
import { timesRow } from './row.mjs';
import { alternate, timed } from './statistics.mjs';
import { portRequest } from './tracked-devices.mjs';

/** @import { Recorded } from './qmp-by-hand.mjs' */
/** @import { InstanceId, MigrationId, VdpaHost as VdpaHostType } from '../src/index.js' */

const rounds = 10;
const instance = /** @type {InstanceId} */ ('vm1');

/** A host of its own: a PF with a device, a store, and a QEMU in which nobody but the firmware runs. */
class Side {
  #folder;
  #driver;
  guest;
  host;
  operations;
  reference;

  /** @param {string} folder @param {VdpaHostType} host */
  constructor(folder, host) {
    this.#folder = folder;
    this.host = host;
    this.guest = new LabGuest(folder, instance);
    this.#driver = new QmpDriver({ monitor: join(folder, '{guest}.qmp') });
    this.reference = `qmp:${folder}`;
    const place = { driver: this.#driver, guest: instance, reference: this.reference };
    this.operations = new InstanceOperations(host, { place: () => place });
  }

  /** @param {string} pf */
  static async open(pf) {
    const folder = mkdtempSync(join(tmpdir(), 'side-'));
    const store = new SqliteStore(join(folder, 'store'));
    const side = new this(folder, await VdpaHost.open({ deviceSpec: [{ address: pf }], store }));
    await side.guest.ready();
    return side;
  }

  async close() {
    await this.operations.delete(instance);
    await this.#driver.close();
    await this.host.close();
    await this.guest.close();
    rmSync(this.#folder, { recursive: true });
  }
}

/** What the library tells a guest's QEMU in one round, told again by hand. */
class Replayed {
  #commands;
  #hand;
  #path;

  /** @param {readonly Recorded[]} commands @param {QmpByHand} hand @param {string} path */
  constructor(commands, hand, path) {
    this.#commands = commands;
    this.#hand = hand;
    this.#path = path;
  }

  /** @param {Side} side @param {() => Promise<void>} round that begins and ends with nothing in its guest */
  static async of(side, round) {
    const { devices } = await side.host.inventory();
    const [own] = (await side.host.claims()).flatMap((claim) => claim.devices);
    const path = devices.find(({ id }) => id === own?.deviceId)?.charDevice?.path;
    if (path === undefined) throw new Error('the instance has no device');
    const all = await recordQmp(round);
    // What opens a connection, by hand is done once.
    const commands = all.filter(({ command }) => command !== 'qmp_capabilities');
    const hand = new QmpByHand(side.guest.monitors.hand);
    await hand.open();
    return new this(commands, hand, path);
  }

  async play() {
    await this.#hand.replay(this.#commands);
    await openable(this.#path);
  }

  async close() {
    await this.#hand.close();
  }
}

/**
 * What an operation costs beside what QEMU needs for it.
 *
 * @param {readonly string[]} pfs two, each with a device
 */
export async function operationRows([one = '', other = '']) {
  const sides = [await Side.open(one), await Side.open(other)];
  const [source, destination] = /** @type {[Side, Side]} */ (sides);
  try {
    await source.operations.boot(instance, { requests: [portRequest()] });
    await source.operations.completeBoot(instance, source.reference);
    return [await suspendRow(source), await migrationRow(source, destination)];
  } finally {
    for (const side of sides) await side.close();
  }
}

/** @param {Side} side */
async function suspendRow(side) {
  const { operations, reference } = side;
  const suspended = async () => {
    await operations.resume(instance, reference);
    await operations.suspend(instance, reference);
  };
  await operations.suspend(instance, reference);
  const hand = await Replayed.of(side, suspended);
  const both = await alternate(
    rounds,
    () => timed(suspended),
    () => timed(() => hand.play()),
  );
  await hand.close();
  await operations.resume(instance, reference);
  return timesRow('resume and suspend / the same commands by hand', 1, both);
}

/** There and back again, without the guest's state: that is QEMU's to move. @param {Side} one @param {Side} other */
async function migrationRow(one, other) {
  let migrations = 0;
  /** Up to where the guest may move. @param {Side} from @param {Side} to */
  const unplugged = async (from, to) => {
    const migration = /** @type {MigrationId} */ (`migration-${migrations++}`);
    const source = from.operations.liveMigration;
    const offer = await source.offer(instance, from.reference, migration);
    const prepared = await to.operations.liveMigration.prepare(offer);
    await source.unplug(prepared, from.reference);
  };
  /** From where the guest has arrived. @param {Side} from @param {Side} to */
  const moved = async (from, to) => {
    await from.operations.liveMigration.completeAtDestination(instance, from.reference);
    await to.operations.liveMigration.completeAtSource(instance);
    await unplugged(from, to);
  };
  await unplugged(one, other);
  const hands = [
    await Replayed.of(other, () => moved(other, one)),
    await Replayed.of(one, () => moved(one, other)),
  ];
  const both = await alternate(
    rounds,
    () =>
      timed(async () => {
        await moved(other, one);
        await moved(one, other);
      }),
    () =>
      timed(async () => {
        for (const hand of hands) await hand.play();
      }),
  );
  for (const hand of hands) await hand.close();
  await one.operations.liveMigration.abort(instance);
  await other.operations.liveMigration.abort(instance);
  return timesRow('two live migrations but for the state / the same commands by hand', 1, both);
}
