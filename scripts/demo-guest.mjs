// @ts-check
// node scripts/demo-guest.mjs MONITOR: inside the lab, a Linux guest that says which NICs it has.
import { spawnGuest } from '../lab/guest/spawn-guest.mjs';

const [monitor = ''] = process.argv.slice(2);
const guest = spawnGuest({ monitors: [monitor], boot: true }, 'inherit');
process.once('SIGTERM', () => guest.kill());
guest.once('exit', (code) => {
  process.exitCode = code ?? 0;
});
