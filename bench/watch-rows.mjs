// @ts-check
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { openNativeHost } from './internals.mjs';
import { VdpaHost } from './library.mjs';
import { atMost, row } from './row.mjs';
import { alternate, compare } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */
/** @import { HostWatch, VdpaHost as Host } from '../src/index.js' */
/** @import { Row } from './row.mjs' */

const timeoutMs = 60_000;
/** Adds and deletes of the storm, together. */
const stormChanges = 2000;
/** What the processor time is read over; it is scaled to a minute. */
const idleMs = 10_000;
const minuteMs = 60_000;
/** As little as the kernel gives, so that few events are too many. */
const smallBuffer = 2304;

/**
 * Following a host. Last of all: it leaves other devices than it found.
 *
 * @param {Plan} plan
 */
export async function watchRows({ devices, rounds, judged, programs }) {
  // A watch keeps no process alive, and neither does waiting for its events.
  const held = setInterval(() => {}, minuteMs);
  const maker = await Maker.open();
  const host = await VdpaHost.open();
  try {
    return [
      await latencyRow(host, maker, { devices, rounds, judged, programs }),
      await stormRow(host, maker, devices),
      await resyncRow(host, devices),
      await idleRow(host, devices),
    ];
  } finally {
    await host.close();
    await maker.close();
    clearInterval(held);
  }
}

/** Makes and deletes the devices that the lab was given, through the internals: nothing is cheaper. */
class Maker {
  #native;
  /** @type {Map<string, { bus: string, name: string }>} */
  #management;

  /** @param {ReturnType<typeof openNativeHost>} native @param {Maker['management']} management */
  constructor(native, management) {
    this.#native = native;
    this.#management = management;
  }

  static async open() {
    const native = openNativeHost('/');
    const { vdpaDevices } = await native.familyLists(timeoutMs);
    return new Maker(
      native,
      new Map(
        vdpaDevices
          .filter(({ managementBus }) => managementBus === 'pci')
          .map(({ name, managementBus, managementName }) => [
            name,
            { bus: managementBus, name: managementName },
          ]),
      ),
    );
  }

  get management() {
    return this.#management;
  }

  get names() {
    return [...this.#management.keys()];
  }

  /** @param {string} name */
  async make(name) {
    const management = this.#management.get(name);
    if (management === undefined) throw new Error(`nothing makes ${name}`);
    await this.#native.addDevice(
      {
        name,
        managementBus: management.bus,
        managementName: management.name,
        mac: null,
        mtu: null,
        maxVqPairs: null,
        features: null,
      },
      timeoutMs,
    );
  }

  /** @param {string} name */
  async remove(name) {
    await this.#native.deleteDevice(name, timeoutMs);
  }

  async close() {
    await this.#native.close();
  }
}

/**
 * From the request that makes a device until `added` is told, and until a bare listener has the same
 * event. udevadm is a listener with more to do, and not in every lab.
 *
 * @param {Host} host @param {Maker} maker @param {Omit<Plan, 'resolveOnly'>} plan
 * @returns {Promise<Row>}
 */
async function latencyRow(host, maker, { devices, rounds, judged, programs }) {
  const listener = spawn(join(programs, 'uevent_listen'), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]();
  const watch = await host.watch({ rereadMs: 0 });
  const [name = ''] = maker.names;
  try {
    if ((await lines.next()).value !== 'ready') throw new Error('the listener does not listen');
    /** @type {{ ours: number[], theirs: number[] }} */
    const pairs = { ours: [], theirs: [] };
    for (let round = -2; round < 2 * rounds; round++) {
      const removed = once(watch, 'removed');
      await maker.remove(name);
      await removed;
      await sleep(20);
      const added = once(watch, 'added').then(() => process.hrtime.bigint());
      const asked = process.hrtime.bigint();
      await maker.make(name);
      const [told, heard] = await Promise.all([added, lines.next()]);
      const [time = '', path = ''] = String(heard.value).split(' ');
      if (!path.endsWith(`/${name}`)) throw new Error(`the listener heard of ${path}, not ${name}`);
      if (round < 0) continue;
      pairs.ours.push(Number(told - asked) / 1e6);
      pairs.theirs.push(Number(BigInt(time) - asked) / 1e6);
    }
    const { ours, theirs, ratio } = compare(pairs);
    return row({
      name: 'watch: device requested until told / until a bare listener hears',
      devices,
      unit: 'ms',
      ours,
      theirs,
      figure: ratio,
      figureUnit: 'x',
      budget: judged ? atMost(2) : null,
    });
  } finally {
    await watch.close();
    listener.stdin.end();
    if (listener.exitCode === null) await once(listener, 'exit');
  }
}

/**
 * Deletes and makes devices as fast as the kernel does, with and without somebody who follows, until
 * the follower knows what a fresh inventory says.
 *
 * @param {Host} host @param {Maker} maker @param {number} devices
 * @returns {Promise<Row>}
 */
async function stormRow(host, maker, devices) {
  const { names } = maker;
  const storm = async () => {
    for (let i = 0; i < stormChanges / 2; i++) {
      const name = names[i % names.length] ?? '';
      await maker.remove(name);
      await maker.make(name);
    }
  };
  const alone = await timed(storm);
  const watch = await host.watch({ rereadMs: 0 });
  try {
    const followed = await timed(async () => {
      await storm();
      await settled(host, watch);
    });
    return row({
      name: `watch: ${stormChanges} adds and deletes, followed to the end / not followed`,
      devices,
      unit: 'ms',
      ours: followed,
      theirs: alone,
      figure: (1000 * stormChanges) / followed,
      figureUnit: 'a second',
      budget: null,
    });
  } finally {
    await watch.close();
  }
}

/**
 * From a loss of events until all has been read anew and is known, against one inventory.
 *
 * @param {Host} host @param {number} devices
 * @returns {Promise<Row>}
 */
async function resyncRow(host, devices) {
  const watch = await host.watch({ rereadMs: 0, receiveBufferBytes: smallBuffer });
  try {
    const ours = async () => {
      const resync = once(watch, 'resync');
      // At one go: the loop does not come to read any of them.
      for (let i = 0; i < 100; i++) {
        writeFileSync('/sys/bus/vdpa/devices/vdpa0/uevent', 'change');
      }
      return await timed(async () => {
        await resync;
      });
    };
    const theirs = async () => await timed(async () => await host.inventory());
    const both = compare(await alternate(5, ours, theirs));
    await settled(host, watch);
    return row({
      name: 'watch: from lost events until all is known again / one inventory',
      devices,
      unit: 'ms',
      ours: both.ours,
      theirs: both.theirs,
      figure: both.difference,
      figureUnit: 'ms more',
      budget: null,
    });
  } finally {
    await watch.close();
  }
}

/**
 * The processor time of this process while nothing happens, with and without a watch.
 *
 * @param {Host} host @param {number} devices
 * @returns {Promise<Row>}
 */
async function idleRow(host, devices) {
  const usage = async () => {
    const before = process.cpuUsage();
    await sleep(idleMs);
    const { user, system } = process.cpuUsage(before);
    return ((user + system) / 1000) * (minuteMs / idleMs);
  };
  const without = await usage();
  const watch = await host.watch({ rereadMs: 0 });
  try {
    // What was still under way, or garbage.
    await sleep(1000);
    const idle = await usage();
    return row({
      name: 'watch: processor time of a minute in which nothing happens / without a watch',
      devices,
      unit: 'ms',
      ours: idle,
      theirs: without,
      figure: idle - without,
      figureUnit: 'ms more',
      budget: null,
    });
  } finally {
    await watch.close();
  }
}

/** @param {() => Promise<unknown>} work */
async function timed(work) {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/**
 * Waits until the watch knows what a fresh inventory says; fails when it never does.
 *
 * @param {Host} host @param {HostWatch} watch
 */
async function settled(host, watch) {
  const end = performance.now() + 30_000;
  for (;;) {
    const { consistent: _, ...fresh } = await host.inventory();
    const { consistent: __, ...known } = watch.inventory;
    if (isDeepStrictEqual(known, fresh)) return;
    if (performance.now() > end) throw new Error('the watch does not know what is there');
    await sleep(5);
  }
}
