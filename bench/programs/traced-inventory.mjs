// @ts-check
// One inventory of a host that was just opened, between the marks of system-calls.mjs.
import { existsSync } from 'node:fs';
import { VdpaHost } from '../library.mjs';

const host = await VdpaHost.open({ timeoutMs: 600_000 });
existsSync('/bench-mark-begin');
await host.inventory();
existsSync('/bench-mark-end');
await host.close();
