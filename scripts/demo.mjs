// @ts-check
// npm run demo: the library on a real kernel with 2 PFs of 8 VFs and vDPA devices of several kinds.
import { ensureLab } from '../lab/build.mjs';
import { runInLab } from '../lab/run.mjs';
import { ensureBuilt } from './products.mjs';
import { StepFailed, script } from './steps.mjs';

await script(async () => {
  await ensureBuilt();
  await ensureLab();
  const { status } = await runInLab(['bash', 'scripts/demo-in-lab.sh'], {
    nic: { npf: 2, totalvfs: 8 },
    timeoutMs: 120_000,
    stdio: 'inherit',
  });
  if (status !== 0) throw new StepFailed(`the demo ended with ${status}`);
});
