// @ts-check
// An agent whose own instances claim and release without a pause, while others ask it on its socket.
// Prints a line when it is ready, and at SIGTERM what its storm did.

/** @param {string} module */
const built = (module) =>
  import(new URL(`../../dist/lifecycle/${module}.js`, import.meta.url).href);
/** @type {typeof import('../../src/lifecycle/config.js')} */
const { readConfig } = await built('config');
/** @type {typeof import('../../src/lifecycle/configured-desk.js')} */
const { openConfigured } = await built('configured-desk');
/** @type {typeof import('../../src/lifecycle/open-desk.js')} */
const { ownerSocketPath } = await built('open-desk');
/** @type {typeof import('../../src/lifecycle/owner-socket.js')} */
const { OwnerSocket } = await built('owner-socket');

const [path = ''] = process.argv.slice(2);
const config = await readConfig(path);
const host = await openConfigured(config, {}, { follow: true });
const socket = await OwnerSocket.listen(ownerSocketPath(config.store), host);
let ended = false;
process.once('SIGTERM', () => {
  ended = true;
});
const counts = { claimed: 0, refused: 0 };
/**
 * Devices that went from one claim to another without being given back, as the events tell.
 *
 * @type {string[]}
 */
const doubled = [];
host.tracker.on('device', ({ before, after }) => {
  const [old, now] = [before?.claimId ?? null, after?.claimId ?? null];
  if (after !== null && old !== null && now !== null && old !== now) doubled.push(after.device.id);
});
console.log('ready');
let request = 0;
await Promise.all(
  Array.from({ length: 4 }, async (_, lane) => {
    while (!ended) {
      request += 1;
      try {
        const { id } = await host.claim({
          instance: /** @type {never} */ (`storm-${lane}`),
          requests: [
            {
              requestId: /** @type {never} */ (`storm-${request}`),
              count: 1,
              spec: [{ dev_type: 'vdpa' }],
              numaPolicy: null,
              alias: null,
              portId: null,
            },
          ],
        });
        counts.claimed += 1;
        await host.release({ claim: id });
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'CLAIM_UNSATISFIABLE'))
          throw error;
        counts.refused += 1;
        await new Promise(setImmediate);
      }
    }
  }),
);
await socket.close();
const left = (await host.claims()).map(({ instance }) => instance);
await host.close();
console.log(JSON.stringify({ ...counts, doubled, left }));
