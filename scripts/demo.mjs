// @ts-check
// npm run demo: the library on a real kernel with 2 PFs of 8 VFs, vDPA devices of several kinds, and a
// Linux guest that two compute agents hand to each other.
import { ensureLab } from '../lab/build.mjs';
import { cacheDir } from '../lab/cache.mjs';
import { ensureGuest } from '../lab/guest/guest.mjs';
import { ensureQemu } from '../lab/guest/qemu.mjs';
import { runInLab } from '../lab/run.mjs';
import { ensureBuilt, ensureExample } from './products.mjs';
import { StepFailed, script } from './steps.mjs';

await script(async () => {
  await ensureBuilt();
  await ensureExample();
  await ensureLab();
  await ensureQemu('release');
  await ensureGuest();
  const { status } = await runInLab(['bash', 'scripts/demo-in-lab.sh'], {
    nic: { npf: 2, totalvfs: 8 },
    memoryMiB: 2048,
    // The guest starts on an emulated processor.
    timeoutMs: 900_000,
    env: { VDPA_HOST_CACHE: cacheDir() },
    stdio: 'inherit',
  });
  if (status !== 0) throw new StepFailed(`the demo ended with ${status}`);
});
