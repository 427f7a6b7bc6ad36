// @ts-check
// What the public API has no call for: the netlink part alone, creating devices, and QEMU's monitor.

/** @type {string} */
const dist = '../dist';

/** @type {typeof import('../src/native.js')} */
export const { openNativeHost, passCharDevice } = await import(`${dist}/native.js`);

/** @type {typeof import('../src/guest/qmp-connection.js')} */
export const { QmpConnection } = await import(`${dist}/guest/qmp-connection.js`);
