// @ts-check
import { deepStrictEqual } from 'node:assert';

/** @import { Inventory } from '../src/index.js' */
/** @import { ScriptInventory } from './script-inventory.mjs' */

/**
 * @template T
 * @param {readonly T[]} items
 * @param {(item: T) => string} key
 */
function by(items, key) {
  return items.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}

/**
 * A race between two that do not tell the same is none: throws unless the library's inventory has
 * every fact that the script found, and no other value for any.
 *
 * @param {Inventory} ours
 * @param {ScriptInventory} theirs
 */
export function assertSameFacts(ours, theirs) {
  deepStrictEqual(
    ours.pfs,
    by(theirs.pfs, ({ address }) => address),
  );
  deepStrictEqual(
    ours.vfs,
    by(theirs.vfs, ({ address }) => address),
  );
  deepStrictEqual(
    by(
      ours.managementDevices.map(({ handle, classes, maxVqs, featureNames }) => ({
        handle,
        classes,
        maxVqs,
        featureNames,
      })),
      ({ handle }) => handle,
    ),
    by(theirs.managementDevices, ({ handle }) => handle),
  );
  deepStrictEqual(
    by(
      ours.devices.map((device) => ({
        name: device.name,
        class: device.class,
        vendorId: device.vendorId,
        maxVqs: device.maxVqs,
        maxVqSize: device.maxVqSize,
        managementDevice: device.managementDevice,
        pciAddress: device.parent.pciAddress,
        driver: device.driver,
        charDevice: device.charDevice,
      })),
      ({ name }) => name,
    ),
    by(theirs.devices, ({ name }) => name),
  );
}
