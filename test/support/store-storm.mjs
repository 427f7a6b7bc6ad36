// @ts-check
// A storm of commits: PATH LANES. Each lane has two devices of its own, which it claims and releases
// by turns, and says so on stdout once that has been answered: `LANE STEP`, a line each. An odd step is
// claim `LANE-STEP` on both devices; the even one after it is its release, with the step written to
// both. It goes on from what the store has, until it is killed. store-storm.ts judges what it left.
import { writeSync } from 'node:fs';

/** @import { StoreState, StoreChange } from '../../src/tracker/store.js' */
/** @import { DeviceRecord } from '../../src/tracker/device-record.js' */
/** @import { Claim } from '../../src/tracker/claim.js' */

const file = new URL('../../dist/tracker/sqlite-store.js', import.meta.url).href;
/** @type {typeof import('../../src/tracker/sqlite-store.js')} */
const { SqliteStore } = await import(file);

const [path = '', lanes = ''] = process.argv.slice(2);
const instance = '6f0c2f5e-0000-4000-8000-000000000002';
const store = new SqliteStore(path);
const { state } = await store.open();
let fence = state.fence;

/** @param {string} id @param {string | null} claimId @param {number} released */
function record(id, claimId, released) {
  return /** @type {DeviceRecord} */ (
    /** @type {unknown} */ ({
      device: {
        id,
        type: 'vdpa',
        address: null,
        vendorId: '15b3',
        productId: '101e',
        numaNode: 0,
        parentAddress: '0000:0f:00.0',
        extra: { parent_ifname: 'enp15s0np0', capabilities: 'x'.repeat(200) },
        vdpa: { name: 'vdpa0', charDevice: '/dev/vhost-vdpa-0' },
        reasons: [],
      },
      status: claimId === null ? 'available' : 'claimed',
      claimId,
      instance: claimId && instance,
      requestId: claimId && 'request',
      pending: null,
      home: null,
      vanished: false,
      released,
    })
  );
}

/** @param {string} id @param {string[]} devices */
function claim(id, devices) {
  return /** @type {Claim} */ (
    /** @type {unknown} */ ({
      id,
      fence: ++fence,
      instance,
      migration: null,
      status: 'claimed',
      requests: [],
      numaCells: null,
      guest: null,
      devices: devices.map((deviceId) => ({ deviceId, requestId: 'request' })),
    })
  );
}

/** @param {number} lane */
async function run(lane) {
  const ids = [`vdpa/${lane}a`, `vdpa/${lane}b`];
  const mine = state.devices.filter(({ value }) => ids.includes(value.device.id));
  const held = state.claims.find(({ value }) => value.id.startsWith(`${lane}-`))?.value.id;
  let step = held === undefined ? (mine[0]?.value.released ?? 0) : Number(held.split('-')[1]);
  let version = mine[0]?.version ?? null;
  for (;;) {
    step++;
    const taking = step % 2 === 1;
    const id = `${lane}-${taking ? step : step - 1}`;
    const change = /** @type {StoreChange} */ (
      /** @type {unknown} */ ({
        devices: ids.map((device) => ({
          id: device,
          from: version,
          to: taking ? record(device, id, step - 1) : record(device, null, step),
        })),
        claims: [taking ? { id, from: null, to: claim(id, ids) } : { id, from: 1, to: null }],
      })
    );
    const [result] = await store.commit([change]);
    if (result?.committed !== true) throw new Error(`${lane} ${step}: ${JSON.stringify(result)}`);
    version = (version ?? 0) + 1;
    writeSync(1, `${lane} ${step}\n`);
  }
}

await Promise.all(Array.from({ length: Number(lanes) }, (_, lane) => run(lane)));
