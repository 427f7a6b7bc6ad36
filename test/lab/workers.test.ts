import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { VdpaHost } from '../../src/index.js';
import * as lab from '../support/lab-host.js';

lab.eachOnBareHost();

function worker(script: string): Worker {
  return new Worker(
    `import { parentPort } from 'node:worker_threads';
     import { VdpaHost } from '${process.cwd()}/dist/index.js';
     const host = await VdpaHost.open();
     ${script}`,
    { eval: true, execArgv: ['--input-type=module'] },
  );
}

describe('worker threads', () => {
  test('read the same kernel at the same time and see the same', async () => {
    lab.enableVfs(lab.pfA, 8);
    for (let index = 0; index < 8; index++) {
      lab.addDevice(`vdpa${index}`, `pci/${lab.vfOf(lab.pfA, index)}`);
    }
    const workers = Array.from({ length: 4 }, () =>
      worker(`for (let i = 0; i < 5; i++) {
        const { devices } = await host.inventory();
        parentPort.postMessage(devices.map(({ name }) => name));
      }
      await host.close();`),
    );
    const seen: unknown[] = [];
    for (const each of workers) each.on('message', (names) => seen.push(names));
    const codes = await Promise.all(workers.map((each) => once(each, 'exit')));
    expect(codes).toEqual([[0], [0], [0], [0]]);
    const expected = Array.from({ length: 8 }, (_, index) => `vdpa${index}`);
    expect(seen).toEqual(Array.from({ length: 20 }, () => expected));
  });

  test('may be terminated in the middle of reading, and the rest goes on', async () => {
    lab.enableVfs(lab.pfA, 8);
    await using host = await VdpaHost.open();
    for (let round = 0; round < (lab.long ? 200 : 5); round++) {
      const busy = worker(`parentPort.postMessage('busy'); for (;;) await host.inventory();`);
      await once(busy, 'message');
      await busy.terminate();
      expect((await host.inventory()).vfs).toHaveLength(8);
    }
  });
});
