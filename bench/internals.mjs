// @ts-check
// What the public API has no call for: the netlink part alone, creating devices, and the store alone.

/** @type {string} */
const file = '../dist/native.js';

/** @type {typeof import('../src/native.js')} */
export const { openNativeHost } = await import(file);

/** @type {string} */
const storeFile = '../dist/tracker/sqlite-store.js';

/** @type {typeof import('../src/tracker/sqlite-store.js')} */
export const { SqliteStore } = await import(storeFile);
