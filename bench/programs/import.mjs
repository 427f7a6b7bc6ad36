// @ts-check
/** @type {string} */
const name = 'vdpa-host';
await import(name);
