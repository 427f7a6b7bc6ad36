// @ts-check
// Every device's char device for the second time, between the marks of system-calls.mjs.
import { existsSync } from 'node:fs';
import { VdpaHost } from '../library.mjs';

const host = await VdpaHost.open({ timeoutMs: 600_000 });
const { devices } = await host.inventory();
for (const { id } of devices) host.resolve(id);
existsSync('/bench-mark-begin');
for (const { id } of devices) host.resolve(id);
existsSync('/bench-mark-end');
await host.close();
