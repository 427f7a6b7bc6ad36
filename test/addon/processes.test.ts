import { describe, expect, test } from 'vitest';
import { CapturedHost } from '../support/captured-host.js';
import { distUrl, runModule } from './support/process.js';

const open = `
  const { VdpaHost } = await import(${JSON.stringify(distUrl)});
  const [root] = process.argv.slice(1);
  const host = await VdpaHost.open({ root });
`;

/** What became of a process that opened a host and went on like this. */
async function ended(rest: string) {
  using tree = new CapturedHost();
  tree.vdpa('vdpa0', '', { managementName: 'vdpasim_net' });
  return await runModule(open + rest, tree.root);
}

describe('a process', () => {
  test('is not kept alive by an open host that nobody asks', async () => {
    expect(await ended('await host.inventory(); console.log("asked");')).toEqual({
      code: 0,
      signal: null,
      stdout: 'asked\n',
      stderr: '',
    });
  });

  test('is kept alive by a call until its answer is there', async () => {
    expect(
      await ended('host.inventory().then(({ devices }) => console.log(devices.length));'),
    ).toMatchObject({ code: 0, stdout: '1\n', stderr: '' });
  });

  test('is kept alive by a close until it is done', async () => {
    expect(
      await ended('await host.inventory(); host.close().then(() => console.log("closed"));'),
    ).toMatchObject({ code: 0, stdout: 'closed\n', stderr: '' });
  });

  test.each([
    ['at once', 'host.inventory(); process.exit(3);'],
    ['in the next turn', 'host.inventory(); setImmediate(() => process.exit(3));'],
    ['from the answer', 'host.inventory().then(() => process.exit(3));'],
    [
      'from one of many answers',
      'for (let i = 0; i < 50; i++) host.inventory().then(() => i === 25 && process.exit(3));',
    ],
    ['while closing', 'host.inventory(); host.close(); process.exit(3);'],
    [
      'from an exit handler',
      'process.on("exit", () => { host.inventory(); process.exitCode = 3; });',
    ],
  ])('may exit %s with calls pending', async (_, rest) => {
    expect(await ended(rest)).toEqual({ code: 3, signal: null, stdout: '', stderr: '' });
  });

  test('ends with the error of a callback, as with any other', async () => {
    const { code, stderr } = await ended(
      'host.inventory().then(() => { throw new RangeError("mine"); });',
    );
    expect(code).toBe(1);
    expect(stderr).toContain('RangeError: mine');
  });
});
