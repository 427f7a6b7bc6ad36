// @ts-check
// Claims and releases over an owner's socket: SOCKET NAME ROUNDS. Of each three claims it gives two
// back. Says what has been answered, a line each: `+ID DEVICE` of a claim, `-ID` of a release, and
// before that `?ID`, of one that is asked for.
import { writeSync } from 'node:fs';

/** @type {typeof import('../../src/lifecycle/owner-client.js')} */
const { OwnerClient } = await import(
  new URL('../../dist/lifecycle/owner-client.js', import.meta.url).href
);

const [socket = '', name = '', rounds = ''] = process.argv.slice(2);
// Not closed: it does not keep the process.
const client = await OwnerClient.connect(socket);
for (let round = 0; round < Number(rounds); round++) {
  const id = `${name}-${round}`;
  const claim = await client.claim({
    id: /** @type {never} */ (id),
    instance: /** @type {never} */ (name),
    requests: [
      {
        requestId: /** @type {never} */ (id),
        count: 1,
        spec: [{ dev_type: 'vdpa' }],
        numaPolicy: null,
        alias: null,
        portId: null,
      },
    ],
  });
  // At once: a killed process must have said what it knew.
  writeSync(1, `+${id} ${claim.devices[0]?.deviceId}\n`);
  if (round % 3 === 0) continue;
  writeSync(1, `?${id}\n`);
  await client.release({ claim: claim.id });
  writeSync(1, `-${id}\n`);
}
