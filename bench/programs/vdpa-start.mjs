// @ts-check
// A round: starting iproute2's tool twice, for nothing.
import { execFileSync } from 'node:child_process';
import { serve } from '../serve.mjs';

await serve(() => {
  for (let i = 0; i < 2; i++) execFileSync('vdpa', ['-V']);
  return 2;
});
