import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { fakeHost } from './support/fake-host.js';
import { runCli } from './support/run-cli.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vdpa-host-provision-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const example = 'docs/provision.json';
const table = '0000:65:00.4 - 104 0660\n0000:b3:00.2 64055 - -\n';

describe('provision', () => {
  it('asks for what the file declares, and ends with 1 when a check finds something to do', async () => {
    const host = fakeHost();
    expect(await runCli(['provision', example], { host })).toMatchObject({ code: 0, stderr: '' });
    expect(await runCli(['provision', example, '--check'], { host })).toMatchObject({ code: 1 });
    const declaration = JSON.parse(readFileSync(example, 'utf8'));
    expect(host.changes).toEqual([
      ['provision', declaration, { check: false, signal: undefined }],
      ['provision', declaration, { check: true, signal: undefined }],
    ]);
  });

  it('ends with 0 when a check finds nothing', async () => {
    const done = { check: true, steps: [], obstacles: [], nodes: [] };
    const host = { ...fakeHost(), provision: async () => done };
    expect(await runCli(['provision', example, '--check'], { host })).toMatchObject({
      code: 0,
      stdout: 'all is as declared\n',
    });
  });

  it('ends with 2 when the file is not there, is no JSON, or declares what cannot be', async () => {
    const file = join(folder, 'x.json');
    expect(await runCli(['provision', file])).toMatchObject({ code: 2, opened: undefined });
    writeFileSync(file, '{');
    expect(await runCli(['provision', file])).toMatchObject({ code: 2, opened: undefined });
    const refusal = new TypeError('declaration: pfs[0].vfs: too odd');
    const host = { ...fakeHost(), provision: () => Promise.reject(refusal) };
    expect(await runCli(['provision', example], { host })).toMatchObject({
      code: 2,
      stderr: `vdpa-host: ${example}: pfs[0].vfs: too odd (see 'vdpa-host provision --help')\n`,
    });
  });

  it('writes the table of nodes as a whole, also when not all could be done', async () => {
    const file = join(folder, 'nodes');
    await runCli(['provision', example, '--nodes', file]);
    expect([readFileSync(file, 'utf8'), readdirSync(folder)]).toEqual([table, ['nodes']]);
    rmSync(file);
    const whole = fakeHost();
    const host = {
      ...whole,
      provision: (async (declaration, options) => {
        if (options?.check === true) return await whole.provision(declaration, options);
        throw new VdpaError('PROVISION_INCOMPLETE', 'not all', { leftovers: ['vf 1: why'] });
      }) satisfies typeof whole.provision,
    };
    expect(await runCli(['provision', example, '--nodes', file], { host })).toMatchObject({
      code: 1,
      stderr: 'vdpa-host: not all [PROVISION_INCOMPLETE]\nvdpa-host: left over: vf 1: why\n',
    });
    expect(readFileSync(file, 'utf8')).toBe(table);
  });

  describe('with --tries', () => {
    const whole = fakeHost();
    /** Fails as often as it is told to. */
    const failing = (failures: VdpaError[]) => ({
      ...whole,
      provision: vi.fn((async (declaration, options) => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return await whole.provision(declaration, options);
      }) satisfies typeof whole.provision),
    });
    const later = () => new VdpaError('DEVICE_NOT_FOUND', 'no such PF', { retry: 'later' });
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });
    const passing = async <T>(work: Promise<T>): Promise<T> => {
      let done = false;
      const noted = () => {
        done = true;
      };
      work.then(noted, noted);
      while (!done) await vi.advanceTimersByTimeAsync(10_000);
      return await work;
    };

    it('tries again until all is done', async () => {
      const host = failing([later(), later()]);
      expect(await passing(runCli(['provision', example, '--tries', '5'], { host }))).toMatchObject(
        { code: 0, stderr: '' },
      );
      expect(host.provision).toHaveBeenCalledTimes(3);
    });

    it('gives up with the last failure, and at once when it is for good', async () => {
      const host = failing([later(), later(), later()]);
      expect(await passing(runCli(['provision', example, '--tries', '2'], { host }))).toMatchObject(
        { code: 1, stderr: expect.stringContaining('no such PF') },
      );
      expect(host.provision).toHaveBeenCalledTimes(2);
      const hopeless = failing([new VdpaError('HOST_CAPTURED', 'captured', { retry: 'never' })]);
      expect(
        await passing(runCli(['provision', example, '--tries', '9'], { host: hopeless })),
      ).toMatchObject({ code: 1 });
      expect(hopeless.provision).toHaveBeenCalledTimes(1);
    });

    it.each(['0', '101', 'x', '1.5'])('takes no %s', async (tries) => {
      expect(await runCli(['provision', example, '--tries', tries])).toMatchObject({
        code: 2,
        opened: undefined,
        stderr: expect.stringContaining(
          `--tries wants a whole number from 1 to 100, not '${tries}'`,
        ),
      });
    });
  });
});
