// @ts-check
// npm run build: npm packages, the addon (build/Release) and the library (dist).
import { ensureBuilt } from './products.mjs';
import { script } from './steps.mjs';

await script(async () => {
  await ensureBuilt();
  console.error('Built: build/Release/vdpa_host.node, dist/');
});
