// @ts-check
// Claims and releases by turns, on as many devices as there are lanes: with the store, and as bare
// SQLite makes the same rows.
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import Database from 'better-sqlite3';
import { SqliteStore } from './library.mjs';

/** @import { StoreChange } from '../src/tracker/store.js' */

const tmpfs = 0x01021994;
const hostfs = 0x00c0ffee;
const instance = '6f0c2f5e-0000-4000-8000-000000000002';

/**
 * A new folder for stores, on a file system that has a disk below it.
 *
 * @param {string} folder
 */
export function diskFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { type } = statfsSync(folder);
  if (type === tmpfs || type === hostfs) throw new Error(`${folder} is on no disk`);
  return folder;
}

/** @param {number} lane @param {boolean} held */
function record(lane, held) {
  const address = `0000:10:${(lane >> 3).toString(16).padStart(2, '0')}.${lane & 7}`;
  return {
    device: {
      id: `pci/${address}`,
      type: 'vdpa',
      address,
      vendorId: '15b3',
      productId: '101e',
      numaNode: 0,
      parentAddress: '0000:0f:00.0',
      extra: { parent_ifname: 'enp15s0np0', capabilities: '{"network": ["gso", "tso", "rx"]}' },
      vdpa: { name: `vdpa${lane}`, charDevice: `/dev/vhost-vdpa-${lane}` },
      reasons: [],
    },
    status: held ? 'claimed' : 'available',
    claimId: held ? `claim-${lane}` : null,
    instance: held ? instance : null,
    requestId: held ? 'a3c1f5e0-0000-4000-8000-000000000001' : null,
    pending: null,
    home: null,
    vanished: false,
    released: 1,
  };
}

/** @param {number} lane @param {number} fence */
function claim(lane, fence) {
  const requestId = 'a3c1f5e0-0000-4000-8000-000000000001';
  const spec = [{ dev_type: 'vdpa', physical_network: 'physnet1' }];
  const request = { requestId, count: 1, spec, numaPolicy: null, alias: null, portId: null };
  return {
    id: `claim-${lane}`,
    fence,
    instance,
    migration: null,
    status: 'claimed',
    requests: [request],
    numaCells: null,
    guest: null,
    devices: [{ deviceId: record(lane, true).device.id, requestId }],
  };
}

/** What a lane does in a step: it makes its device, and from then on claims and releases it. */
/** @param {number} lane @param {number} step @returns {StoreChange} */
function changeOf(lane, step) {
  const held = step % 2 === 1;
  const to = record(lane, held);
  const id = `claim-${lane}`;
  const claims = [held ? { id, from: null, to: claim(lane, step) } : { id, from: 1, to: null }];
  return /** @type {StoreChange} */ (
    /** @type {unknown} */ ({
      devices: [{ id: to.device.id, from: step === 0 ? null : step, to }],
      claims: step === 0 ? [] : claims,
    })
  );
}

/** The store, with a number of commits in flight. */
export class StoreStorm {
  #steps;
  #store;

  /** @param {string} path @param {number} lanes */
  constructor(path, lanes) {
    this.#store = new SqliteStore(path);
    this.#steps = new Array(lanes).fill(0);
  }

  async open() {
    await this.#store.open();
    await this.run(1);
  }

  /** @param {number} steps of each lane, one after the other */
  async run(steps) {
    await Promise.all(
      this.#steps.map(async (_, lane) => {
        for (let i = 0; i < steps; i++) {
          const [result] = await this.#store.commit([changeOf(lane, this.#steps[lane]++)]);
          if (result?.committed !== true) throw new Error(`lane ${lane} is in conflict`);
        }
      }),
    );
  }

  close() {
    return this.#store.close();
  }
}

/** SQLite with the same rows and pragmas and nothing else: a transaction for a step of all lanes. */
export class BareStorm {
  #steps = 0;
  #lanes;
  #db;
  #run;

  /** @param {string} path of a store that is not there yet @param {number} lanes */
  static async make(path, lanes) {
    const store = new SqliteStore(path);
    await store.open();
    await store.close();
    return new BareStorm(path, lanes);
  }

  /** @param {string} path @param {number} lanes */
  constructor(path, lanes) {
    const db = new Database(path);
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = FULL');
    const run = (/** @type {string} */ sql) => db.prepare(sql);
    this.#db = db;
    this.#lanes = Array.from({ length: lanes }, (_, lane) => ({
      device: record(lane, false).device.id,
      id: `claim-${lane}`,
      // As text: what makes the rows is not in these figures.
      free: JSON.stringify(record(lane, false)),
      held: JSON.stringify(record(lane, true)),
      claim: JSON.stringify(claim(lane, 1)),
    }));
    this.#run = {
      begin: run('BEGIN IMMEDIATE'),
      commit: run('COMMIT'),
      make: run('INSERT INTO devices VALUES (?, 1, ?, ?)'),
      device: run('UPDATE devices SET version = version + 1, revision = ?, body = ? WHERE id = ?'),
      claim: run('INSERT INTO claims VALUES (?, 1, ?, ?)'),
      hold: run('INSERT INTO holdings VALUES (?, ?)'),
      letGo: run('DELETE FROM holdings WHERE claim = ?'),
      remove: run('DELETE FROM claims WHERE id = ?'),
      note: run("INSERT INTO removals (revision, kind, id) VALUES (?, 'claim', ?)"),
      store: run('UPDATE store SET revision = ?, fence = ?'),
    };
    this.run(1);
  }

  /** @param {number} steps */
  run(steps) {
    const s = this.#run;
    for (let i = 0; i < steps; i++) {
      const step = this.#steps++;
      s.begin.run();
      for (const { device, id, free, held, claim: body } of this.#lanes) {
        if (step === 0) {
          s.make.run(device, step, free);
        } else if (step % 2 === 1) {
          s.device.run(step, held, device);
          s.claim.run(id, step, body);
          s.hold.run(id, device);
        } else {
          s.device.run(step, free, device);
          s.letGo.run(id);
          s.remove.run(id);
          s.note.run(step, id);
        }
      }
      s.store.run(step, step);
      s.commit.run();
    }
  }

  close() {
    this.#db.close();
  }
}
