import { describe, expect, it } from 'vitest';
import { run } from '../../../src/cli/run.js';
import { documentSchemas } from '../../../src/cli/schema.js';
import { closedStore, sql } from '../../support/made-stores.js';
import { newStorePath } from '../../support/store-files.js';
import { runCli, soundStore } from './support/run-cli.js';

const fault = { message: 'device x is no JSON', cure: 'restore a backup' };

describe('store check', () => {
  it('prints what is in a sound store, and who owns it', async () => {
    const { code, stdout } = await runCli(['store', 'check', '/s']);
    expect(code).toBe(0);
    expect(stdout).toBe(`✓ sound  /s
         64 devices, 3 claims
         revision 8123, last fence 411, schema 3
         epoch 5f0c2a86-33cd-4d0e-9c6a-1a7c6a0f5b1e
         owned by process 812 (vdpa-host agent) since 2026-01-02T08:15:00.000Z
`);
  });

  it('prints each fault with its cure, and ends with 1', async () => {
    const store = { ...soundStore, holder: null, content: null, faults: [fault, fault] };
    const { code, stdout } = await runCli(['store', 'check', '/s'], { store });
    expect(code).toBe(1);
    expect(stdout).toBe(`✗ 2 faults  /s
            nobody owns it now
fault       device x is no JSON
            cure: restore a backup
fault       device x is no JSON
            cure: restore a backup
`);
  });

  it.each([
    ['no owner', { ...soundStore, holder: null }, { owned: false, owner: null, sound: true }],
    [
      'an owner without a name',
      { ...soundStore, holder: 'unknown' as const },
      { owned: true, owner: null },
    ],
    [
      'faults',
      { ...soundStore, content: null, faults: [fault] },
      { sound: false, faults: [fault] },
    ],
  ])('tells %s as a document', async (_, store, expected) => {
    const { stdout } = await runCli(['store', 'check', '/s', '--json'], { store });
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ kind: 'store-check', file: '/s', ...expected });
    expect(documentSchemas['store-check'].parse(document)).toEqual(document);
  });

  it.each([
    [['store'], /store wants 'check' and the store's file/],
    [['store', 'check'], /store wants 'check'/],
    [['store', 'mend', '/s'], /store has no 'mend': only 'check'/],
  ])('refuses %j', async (argv, words) => {
    const { code, stderr } = await runCli(argv);
    expect(code).toBe(2);
    expect(stderr).toMatch(words);
  });
});

describe('store check of a real file', () => {
  async function check(file: string): Promise<{ code: number; document: Record<string, unknown> }> {
    let text = '';
    const sink = { write: (more: string) => (text += more) };
    const io = { stdout: sink, stderr: sink, isTty: false, env: {}, columns: undefined };
    const code = await run(['store', 'check', file, '--json'], io);
    return { code, document: JSON.parse(text) };
  }

  it('finds it sound, damaged, or not there', async () => {
    const path = closedStore();
    expect(await check(path)).toMatchObject({
      code: 0,
      document: { sound: true, owned: false, content: { devices: 60, claims: 1, fence: 1 } },
    });
    sql(path, "UPDATE claims SET body = '[]'");
    expect(await check(path)).toMatchObject({
      code: 1,
      document: {
        sound: false,
        faults: [{ message: expect.stringContaining('claim a: is no object') }],
      },
    });
    expect(await check(newStorePath())).toMatchObject({
      code: 1,
      document: { kind: 'error', error: { code: 'STORE_NOT_FOUND' } },
    });
  });
});
