// @ts-check
// DEVICES: makes that many.
import { createDevices } from '../devices.mjs';

await createDevices(Number(process.argv[2]));
