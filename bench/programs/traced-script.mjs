// @ts-check
// The script's inventory, between the marks of system-calls.mjs.
import { existsSync } from 'node:fs';
import { scriptInventory } from '../script-inventory.mjs';

existsSync('/bench-mark-begin');
scriptInventory();
existsSync('/bench-mark-end');
