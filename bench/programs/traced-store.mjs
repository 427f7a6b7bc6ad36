// @ts-check
// PATH LANES STEPS: a storm of commits, between the marks of system-calls.mjs.
import { existsSync } from 'node:fs';
import { StoreStorm } from '../store-storm.mjs';

const [path = '', lanes = '', steps = ''] = process.argv.slice(2);
const storm = new StoreStorm(path, Number(lanes));
await storm.open();
existsSync('/bench-mark-begin');
await storm.run(Number(steps));
existsSync('/bench-mark-end');
await storm.close();
