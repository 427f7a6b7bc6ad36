// @ts-check
// What the public API has no call for: the netlink part alone, and creating devices.

/** @type {string} */
const file = '../dist/native.js';

/** @type {typeof import('../src/native.js')} */
export const { openNativeHost } = await import(file);
