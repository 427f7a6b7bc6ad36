import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { definition } from '../../../examples/compute-agent/definition.js';
import { Instances } from '../../../examples/compute-agent/instances.js';
import { Log } from '../../../examples/compute-agent/log.js';
import { Turns } from '../../../examples/compute-agent/turns.js';

const quiet = new Log('host', () => {});
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'example-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const vm1 = definition.parse({ instance: 'vm1', numaCells: [0], phase: { name: 'booting' } });

test('an agent that is started again knows its instances, and what they were at', async () => {
  const before = await Instances.open(folder, quiet);
  await before.put(vm1);
  const leaving = { name: 'leaving' as const, migration: 'm1' as never, to: '/run/b' };
  const left = await before.enter(vm1, leaving);
  expect(left).toEqual({ ...vm1, phase: leaving });
  writeFileSync(join(folder, 'vm1.json.new'), 'cut sh');

  const after = await Instances.open(folder, quiet);
  expect(after.all()).toEqual([left]);
  expect(after.get(vm1.instance)).toEqual(left);
  await after.forget(vm1.instance);
  await after.forget(vm1.instance);
  expect(() => after.get(vm1.instance)).toThrow('there is no instance vm1 here');
  expect((await Instances.open(folder, quiet)).all()).toEqual([]);
  expect(readdirSync(folder)).toEqual(['vm1.json.new']);
});

test('a definition that makes no sense is named', async () => {
  writeFileSync(join(folder, 'vm2.json'), '{"instance":"vm2","numaCells":null,"phase":{}}');
  await expect(Instances.open(folder, quiet)).rejects.toMatchObject({
    code: 'DEFINITION_INVALID',
    message: expect.stringContaining(`${folder}/vm2.json: `),
  });
});

test.each(['', '..', '../x', 'a/b', 'a,b', '{guest}', 'x'.repeat(65)])(
  '%j names no instance',
  (instance) => {
    expect(definition.safeParse({ ...vm1, instance }).success).toBe(false);
  },
);

test('what is done with one instance follows one another, also after a failure', async () => {
  const turns = new Turns();
  const order: string[] = [];
  const failed = turns.run('vm1', async () => {
    await Promise.resolve();
    order.push('first');
    throw new Error('failed');
  });
  const second = turns.run('vm1', async () => order.push('second'));
  const other = turns.run('vm2', async () => order.push('other'));
  await expect(failed).rejects.toThrow('failed');
  await Promise.all([second, other]);
  expect(order).toEqual(['other', 'first', 'second']);
});
