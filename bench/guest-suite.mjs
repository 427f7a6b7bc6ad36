// @ts-check
// What runs inside a lab of its own: a device for each guest, and what guests cost. Its rows are the one
// line on stdout.
import { release } from 'node:os';
import { createDevices } from './devices.mjs';
import { guestRows } from './guest-rows.mjs';
import { VdpaHost } from './library.mjs';
import { libvirtRows } from './libvirt-rows.mjs';
import { operationRows } from './operation-rows.mjs';

if (process.env['VDPA_LAB'] !== '1') throw new Error('this runs inside the lab: npm run bench');
await createDevices(8);
const host = await VdpaHost.open();
const { devices, pfs } = await host.inventory();
await host.close();
const ids = devices.map(({ id }) => id);
// QEMU's own first: guests that libvirt has started take turns on the lab's one processor.
const rows = [
  ...(await guestRows(ids)),
  ...(await operationRows(pfs.map(({ address }) => address))),
  ...(await libvirtRows(ids[0] ?? '')),
];
console.log(JSON.stringify({ kernel: release(), rows }));
