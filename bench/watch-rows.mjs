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
import { alternate, compare, timed } from './statistics.mjs';

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
export async function watchRows(plan) {
  const { devices } = plan;
  // A watch keeps no process alive, and neither does waiting for its events.
  const held = setInterval(() => {}, minuteMs);
  const maker = await Maker.open();
  const host = await VdpaHost.open();
  try {
    return [
      ...(await latencyRows(host, maker, plan)),
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

/** Somebody else who is told of devices, and says when. */
class Listener {
  #child;
  #lines;

  /** @param {string} command @param {readonly string[]} args */
  constructor(command, args) {
    this.#child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** Reads up to a line that has the pattern. @param {RegExp} pattern */
  async #line(pattern) {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done) throw new Error('the listener ended');
      const found = pattern.exec(value);
      if (found !== null) return found;
    }
  }

  async ready() {
    await this.#line(/^KERNEL - /);
  }

  /** When it was told that the device is there, in ms by the monotonic clock. @param {string} name */
  async added(name) {
    const [, seconds, path] = await this.#line(/^KERNEL\[([0-9.]+)\] +add +(\S+) \(vdpa\)$/);
    if (!path?.endsWith(`/${name}`)) throw new Error(`it was told of ${path}, not of ${name}`);
    return Number(seconds) * 1000;
  }

  async close() {
    this.#child.kill();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      await once(this.#child, 'exit');
    }
  }
}

/**
 * From the request that makes a device until `added` is told, and until `udevadm monitor` and a bare
 * listener have the same event.
 *
 * @param {Host} host @param {Maker} maker @param {Plan} plan
 * @returns {Promise<Row[]>}
 */
async function latencyRows(host, maker, { devices, rounds, judged, programs, udevadm }) {
  const against = async (/** @type {string} */ command, /** @type {string[]} */ ...args) =>
    compare(await toldAndHeard(host, maker, 2 * rounds, new Listener(command, args)));
  const monitor = await against(udevadm, 'monitor', '--kernel', '--subsystem-match=vdpa');
  const bare = await against(join(programs, 'uevent_listen'));
  const name = 'watch: device requested until told';
  return [
    row({
      name: `${name} / until udevadm monitor tells`,
      devices,
      unit: 'ms',
      ours: monitor.ours,
      theirs: monitor.theirs,
      figure: monitor.ratio,
      figureUnit: 'x',
      budget: judged ? atMost(2) : null,
    }),
    row({
      name: `${name} / until a bare listener hears`,
      devices,
      unit: 'ms',
      ours: bare.ours,
      theirs: bare.theirs,
      figure: bare.ratio,
      figureUnit: 'x',
      budget: null,
    }),
  ];
}

/**
 * @param {Host} host @param {Maker} maker @param {number} rounds @param {Listener} listener
 * @returns {Promise<import('./statistics.mjs').Pairs>}
 */
async function toldAndHeard(host, maker, rounds, listener) {
  const watch = await host.watch({ rereadMs: 0 });
  const [name = ''] = maker.names;
  /** @type {{ ours: number[], theirs: number[] }} */
  const pairs = { ours: [], theirs: [] };
  try {
    await listener.ready();
    // It says so before it listens.
    await sleep(200);
    for (let round = -2; round < rounds; round++) {
      const removed = once(watch, 'removed');
      await maker.remove(name);
      await removed;
      await sleep(20);
      const added = once(watch, 'added').then(monotonicMs);
      const asked = monotonicMs();
      await maker.make(name);
      const [told, heard] = await Promise.all([added, listener.added(name)]);
      if (round < 0) continue;
      pairs.ours.push(told - asked);
      pairs.theirs.push(heard - asked);
    }
    return pairs;
  } finally {
    await watch.close();
    await listener.close();
  }
}

/** The clock that all processes share. */
function monotonicMs() {
  return Number(process.hrtime.bigint()) / 1e6;
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
