// @ts-check
// npm run lint: types, biome, knip, clang-format and clang-tidy; every complaint is an error.
import { ensurePackages } from './apt.mjs';
import { ensureDist, ensureNodeModules, nodePrefix } from './products.mjs';
import { part, printTimes, run, script } from './steps.mjs';

await script(async () => {
  await part('packages', async () => {
    ensurePackages(['clang-format-19', 'clang-tidy-19', 'doctest-dev', 'make'], 'linting C++');
    await ensureNodeModules();
    // The example has its types.
    await ensureDist();
  });
  const node = process.execPath;
  const tsc = (/** @type {string[]} */ ...argv) =>
    run(node, ['node_modules/typescript/bin/tsc', ...argv]);
  await part('tsc', () => tsc('-p', 'tsconfig.json'));
  await part('tsc, example', () => tsc('-p', 'examples/compute-agent', '--noEmit'));
  await part('biome', () =>
    run(node, ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']),
  );
  await part('knip', () => run(node, ['node_modules/knip/bin/knip.js']));
  await part('clang-format', () => run('make', ['--silent', '-C', 'native/test', 'format']));
  await part('clang-tidy', () =>
    run('make', [
      '--silent',
      '-j2',
      '-C',
      'native/test',
      'tidy',
      `NODE_INCLUDE=${nodePrefix()}/include/node`,
    ]),
  );
  printTimes();
});
