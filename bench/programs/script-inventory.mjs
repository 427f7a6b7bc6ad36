// @ts-check
// A round: the script's inventory.
import { scriptInventory } from '../script-inventory.mjs';
import { serve } from '../serve.mjs';

await serve(() => scriptInventory().devices.length);
