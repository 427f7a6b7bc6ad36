import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MonitorPath } from '../../../src/guest/monitor-path.js';
import type { InstanceId } from '../../../src/tracker/claim.js';

const vm = (id: string): InstanceId => id as InstanceId;

test('the path of a guest has its id', () => {
  expect(new MonitorPath('/run/guests/{guest}.qmp').of(vm('vm1'))).toBe('/run/guests/vm1.qmp');
  expect(new MonitorPath('/run/{guest}/qmp').of(vm('vm1'))).toBe('/run/vm1/qmp');
  expect(new MonitorPath('/run/qemu-{guest}.d/qmp').of(vm('vm1'))).toBe('/run/qemu-vm1.d/qmp');
});

test.each(['run/{guest}', '/run/guest', '/run/{guest}/{guest}', ''])(
  'a path that is none is refused: %s',
  (template) => {
    expect(() => new MonitorPath(template)).toThrow(TypeError);
  },
);

test.each(['', 'a/b', '../x', 'a\0'])('an id leads nowhere else: %j', (id) => {
  expect(() => new MonitorPath('/run/{guest}.qmp').of(vm(id))).toThrow(TypeError);
});

test.each(['.', '..'])('an id that is all of a folder is no way up: %s', (id) => {
  expect(() => new MonitorPath('/run/{guest}/qmp').of(vm(id))).toThrow(TypeError);
});

test('guests are found by their entries', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vdpa-host-monitors-'));
  try {
    for (const name of ['q-b.qmp', 'q-a.qmp', 'q-.qmp', 'a.qmp', 'q-c.log']) {
      writeFileSync(join(folder, name), '');
    }
    mkdirSync(join(folder, 'q-d'));
    const of = (template: string) => new MonitorPath(join(folder, template)).candidates();
    expect(await of('q-{guest}.qmp')).toEqual(['a', 'b']);
    expect(await of('q-{guest}/qmp')).toContain('d');
    expect(await of('none/{guest}.qmp')).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
