// @ts-check
// The built library, as a program that installed it gets it; its types come from the sources,
// which are there before anything is built.

/** @type {string} */
const name = 'vdpa-host';

/** @type {typeof import('../src/index.js')} */
export const { VdpaHost } = await import(name);

/** @type {typeof import('../src/tracker/index.js')} */
export const { SqliteStore, Tracker } = await import(`${name}/tracker`);

/** @type {typeof import('../src/policy/index.js')} */
export const { DeviceSpec } = await import(`${name}/policy`);

/** @type {typeof import('../src/lifecycle/index.js')} */
export const { InstanceOperations } = await import(`${name}/lifecycle`);

/** @type {typeof import('../src/guest/index.js')} */
export const { interfaceName, LibvirtDriver, QmpDriver } = await import(`${name}/guest`);
