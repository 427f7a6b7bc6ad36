// @ts-check
import { readlinkSync } from 'node:fs';
import { VdpaHost } from './library.mjs';
import { resolveName } from './resolve-growth.mjs';
import { atMost, row } from './row.mjs';
import { alternate, compare } from './statistics.mjs';

/** @import { Plan } from './plan.mjs' */

/** Calls of one measurement, whatever the number of devices. */
const calls = 2040;

/**
 * From a device id to its verified char device, all devices in turn.
 *
 * @param {Plan} plan
 */
export async function resolveRows({ devices, rounds }) {
  const host = await VdpaHost.open();
  try {
    const inventory = await host.inventory();
    const ids = inventory.devices.map(({ id }) => id);
    const links = inventory.devices.map(({ name, charDevice }) => [
      `/sys/dev/char/${charDevice?.major}:${charDevice?.minor}`,
      `/sys/bus/vdpa/devices/${name}`,
    ]);
    const passes = Math.ceil(calls / devices);

    const started = performance.now();
    for (const id of ids) host.resolve(id);
    const cold = (performance.now() - started) / devices;

    const ours = () => {
      const started = performance.now();
      for (let pass = 0; pass < passes; pass++) {
        for (const id of ids) host.resolve(id);
      }
      return ((performance.now() - started) / passes / devices) * 1000;
    };
    const theirs = () => {
      const started = performance.now();
      for (let pass = 0; pass < passes; pass++) {
        for (const [a = '', b = ''] of links) {
          readlinkSync(a);
          readlinkSync(b);
        }
      }
      return ((performance.now() - started) / passes / devices) * 1000;
    };
    const both = compare(await alternate(2 * rounds, ours, theirs, 5));
    return [
      row({
        name: resolveName,
        devices,
        unit: 'us',
        ours: both.ours,
        theirs: both.theirs,
        figure: both.ratio,
        figureUnit: 'x',
        budget: atMost(3),
      }),
      row({
        name: 'resolve, a device for the first time',
        devices,
        unit: 'us',
        ours: cold * 1000,
        theirs: both.theirs,
        figure: (cold * 1000) / both.theirs,
        figureUnit: 'x',
        budget: null,
      }),
    ];
  } finally {
    await host.close();
  }
}
