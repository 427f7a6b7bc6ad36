// @ts-check
// npm run conformance -- FILE…: decides recorded cases (JSON lines, or the same in gzip) anew, and
// prints for each file how many come out as recorded, with the first differences.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { root } from './steps.mjs';

const files = process.argv.slice(2);
const missing = files.filter((file) => !existsSync(file));
if (files.length === 0 || missing.length > 0) {
  for (const file of missing) console.error(`conformance: there is no file ${file}`);
  console.error('usage: npm run conformance -- FILE…');
  process.exit(2);
}

// The cases are decided by TypeScript that is not part of what is built.
const { createViteServer } = await import('vitest/node');
const server = await createViteServer({
  root,
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
try {
  const { runFile } = /** @type {typeof import('../test/conformance/run.js')} */ (
    await server.ssrLoadModule(resolve(root, 'test/conformance/run.ts'))
  );
  for (const file of files) {
    const { passed, failed, differences } = runFile(file);
    console.log(`${file}: ${passed} passed, ${failed} failed`);
    for (const difference of differences) console.log(`  ${difference}`);
    if (failed > 0) process.exitCode = 1;
  }
} catch (error) {
  // A case that goes wrong has failed; this is a file that holds no cases.
  console.error(`conformance: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 2;
} finally {
  await server.close();
}
