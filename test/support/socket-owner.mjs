// @ts-check
// Owns a store and listens beside it, while it claims and releases itself: STORE VFS. Says `ready` on
// stdout; at SIGTERM it ends, and says what it counted.

/** @import { ReportedDevice } from '../../src/policy/reported-device.js' */
/** @import { PoolKeys } from '../../src/policy/pool-keys.js' */

import { deskOf } from './tracker-desk.mjs';

/** @param {string} module */
const built = (module) => import(new URL(`../../dist/${module}.js`, import.meta.url).href);
/** @type {typeof import('../../src/lifecycle/owner-socket.js')} */
const { OwnerSocket } = await built('lifecycle/owner-socket');
/** @type {typeof import('../../src/tracker/tracker.js')} */
const { Tracker } = await built('tracker/tracker');
/** @type {typeof import('../../src/tracker/sqlite-store.js')} */
const { SqliteStore } = await built('tracker/sqlite-store');

const [store = '', vfs = ''] = process.argv.slice(2);
const tracker = await Tracker.open(new SqliteStore(store), {
  poolKeys: ({ type, numaNode }) =>
    /** @type {PoolKeys} */ ({ dev_type: type, numa_node: numaNode }),
});
const devices = Array.from({ length: Number(vfs) }, (_, index) => {
  const address = `0000:06:${(index >> 3).toString(16).padStart(2, '0')}.${index & 7}`;
  return /** @type {ReportedDevice} */ (
    /** @type {unknown} */ ({
      id: `pci/${address}`,
      type: 'vdpa',
      address,
      vendorId: '15b3',
      productId: '101e',
      numaNode: 0,
      parentAddress: null,
      extra: {},
      vdpa: null,
      reasons: [],
    })
  );
});
await tracker.sync({ devices, cells: null });
/** @type {string[]} */
const doubled = [];
tracker.on('device', ({ before, after }) => {
  const [old, now] = [before?.claimId ?? null, after?.claimId ?? null];
  if (after !== null && old !== null && now !== null && old !== now) doubled.push(after.device.id);
});
let ended = false;
process.once('SIGTERM', () => {
  ended = true;
});
const socket = await OwnerSocket.listen(`${store}.sock`, deskOf(tracker));
console.log('ready');
let own = 0;
while (!ended) {
  const claim = await tracker.claim({
    instance: /** @type {never} */ ('own'),
    requests: [
      {
        requestId: /** @type {never} */ (`own-${own}`),
        count: 1,
        spec: [{ dev_type: 'vdpa' }],
        numaPolicy: null,
        alias: null,
        portId: null,
      },
    ],
  });
  await tracker.release({ claim: claim.id });
  own += 1;
}
await socket.close();
await tracker.close();
console.log(JSON.stringify({ own, doubled }));
