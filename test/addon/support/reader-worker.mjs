// @ts-check
// A worker that opens hosts and asks them, in the ways its test wants.
import { parentPort, workerData } from 'node:worker_threads';

const { distUrl, root, mode, rounds } = workerData;
const { VdpaHost } = await import(distUrl);

/** @type {Record<string, () => Promise<unknown>>} */
const modes = {
  /** Reads to the end, and closes. */
  async read() {
    const seen = [];
    for (let i = 0; i < rounds; i++) {
      const host = await VdpaHost.open({ root });
      const [inventory, findings] = await Promise.all([host.inventory(), host.preflight()]);
      seen.push([inventory.devices.length, inventory.pfs.length, findings.length]);
      await host.close();
    }
    return seen;
  },
  /** Leaves everything open, with answers outstanding. */
  async leave() {
    const hosts = await Promise.all(
      Array.from({ length: 5 }, () => VdpaHost.open({ root, timeoutMs: 1000 })),
    );
    await hosts[0].inventory();
    for (const host of hosts) for (let i = 0; i < rounds; i++) void host.inventory();
    process.exit(5);
  },
  /** Never ends. */
  async storm() {
    const hosts = await Promise.all(Array.from({ length: 3 }, () => VdpaHost.open({ root })));
    parentPort?.postMessage('started');
    for (;;) {
      await Promise.all(hosts.map((host) => host.inventory()));
      const host = await VdpaHost.open({ root });
      host.inventory().catch(() => {}); // CLOSED, by the next line
      void host.close();
    }
  },
  /** Follows the host, and never ends. */
  async watch() {
    const host = await VdpaHost.open();
    const watches = await Promise.all([host.watch({ rereadMs: 1 }), host.watch({ rereadMs: 1 })]);
    setInterval(() => {}, 60_000);
    parentPort?.postMessage('watching');
    for await (const _ of watches[0]);
  },
  /** Holds a call that does not come back. */
  async stick() {
    const host = await VdpaHost.open({ root, timeoutMs: rounds });
    const asked = host.inventory().catch((/** @type {any} */ error) => error.code);
    setImmediate(() => parentPort?.postMessage('asked'));
    return await asked;
  },
};

parentPort?.postMessage(await modes[mode]?.());
