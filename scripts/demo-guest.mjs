// @ts-check
// node scripts/demo-guest.mjs MONITOR: inside the lab, a Linux guest that says which NICs it has.
import { spawn } from 'node:child_process';
import { guestCommand } from '../lab/guest/command.mjs';

const [monitor = ''] = process.argv.slice(2);
const { argv, env } = guestCommand({ monitors: [monitor], boot: true });
const [program = '', ...rest] = argv;
const guest = spawn(program, rest, { stdio: 'inherit', env: { ...process.env, ...env } });
process.once('SIGTERM', () => guest.kill());
guest.once('exit', (code) => {
  process.exitCode = code ?? 0;
});
