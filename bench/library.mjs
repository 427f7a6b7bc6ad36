// @ts-check
// The built library, as a program that installed it gets it; its types come from the sources,
// which are there before anything is built.

/** @type {string} */
const name = 'vdpa-host';

/** @type {typeof import('../src/index.js')} */
export const { VdpaHost } = await import(name);
