// @ts-check
// A round: the library's inventory, in a process of its own.
import { VdpaHost } from '../library.mjs';
import { serve } from '../serve.mjs';

const host = await VdpaHost.open();
await serve(async () => (await host.inventory()).devices.length);
await host.close();
