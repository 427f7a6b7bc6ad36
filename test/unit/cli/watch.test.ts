import { describe, expect, it, vi } from 'vitest';
import { Interruption } from '../../../src/cli/io.js';
import { VdpaError } from '../../../src/errors.js';
import { deviceHealth } from '../../../src/host/device-health.js';
import type { HostEvent } from '../../../src/index.js';
import { fakeHost } from './support/fake-host.js';
import { managementDevice, pciFunction, pf, unbound, vf, vfDevice } from './support/inventory.js';
import { runCli } from './support/run-cli.js';

/** What `vdpa-host watch` prints of these events, without its first line and the time. */
async function linesOf(events: readonly HostEvent[], io = {}): Promise<string[]> {
  const host = fakeHost({ events: () => events });
  const { stdout } = await runCli(['watch'], { host, ...io });
  const [first = '', ...lines] = stdout.trimEnd().split('\n');
  expect(first).toMatch(/^12:03:04 {2}inventory .* 2 PFs, 32 VFs; 7 devices, 2 usable/);
  return lines.map((line) => line.replace(/^12:03:04 {2}/, ''));
}

const owner = pf('0000:65:00.0', { numVfs: 2, totalVfs: 8 });
const place = vf(owner, 1);
const device = vfDevice('vdpa0', place);
const unboundDevice = vfDevice('vdpa0', place, unbound);

describe('watch', () => {
  it('says of a device what became of it and how it stands', async () => {
    const before = vfDevice('vdpa0', place, { driver: null, reasons: ['not-bound'] });
    expect(
      await linesOf([
        { type: 'added', device: before },
        { type: 'changed', device, before, changes: ['driver', 'usable'] },
        { type: 'ready', device },
        { type: 'unready', device: before },
        { type: 'unready', device },
        { type: 'removed', device },
      ]),
    ).toEqual([
      'added             vdpa0         ! not bound to a driver',
      'changed           vdpa0         ✓ usable (driver, usable)',
      'ready             vdpa0         ✓ usable',
      'unready           vdpa0         ! not bound to a driver',
      'unready           vdpa0         goes away',
      'removed           vdpa0         was on 0000:65:00.3 (vf 1 of 0000:65:00.0)',
    ]);
  });

  it('says how a device fares, and asks for it when told to', async () => {
    const host = fakeHost({
      events: () => [
        { type: 'health', device, health: deviceHealth(device, 'down'), before: null },
        { type: 'health', device, health: deviceHealth(device, 'no-answer'), before: null },
        { type: 'health', device, health: deviceHealth(unboundDevice, null), before: null },
      ],
    });
    const watch = vi.spyOn(host, 'watch');
    const { stdout } = await runCli(['watch', '--health', '5000'], { host });
    expect(stdout.trimEnd().split('\n').slice(1)).toEqual([
      '12:03:04  health            vdpa0         driver ok, node ok, link down',
      '12:03:04  health            vdpa0         driver ok, node ok, link unknown: no answer',
      '12:03:04  health            vdpa0         no driver',
    ]);
    expect(watch.mock.calls[0]?.[0]).toMatchObject({ healthMs: 5000 });
  });

  it.each(['0', '-1', 'soon', '600001'])('refuses --health %s', async (value) => {
    const { code, stderr } = await runCli(['watch', `--health=${value}`], { host: fakeHost() });
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining(
        `--health wants a whole number of milliseconds from 1 to 600000, not '${value}'`,
      ),
    ]);
  });

  it('says of functions and management devices what became of them', async () => {
    const other = pciFunction('0000:07:00.0', { driver: null });
    const manager = managementDevice('vdpasim_net');
    expect(
      await linesOf([
        { type: 'pfAdded', pf: owner },
        { type: 'pfChanged', pf: owner, before: owner, changes: ['numVfs'] },
        { type: 'vfAdded', vf: place },
        { type: 'vfChanged', vf: place, before: place, changes: ['driver'] },
        { type: 'vfRemoved', vf: place },
        { type: 'pfRemoved', pf: owner },
        { type: 'otherFunction', function: other, before: null },
        { type: 'otherFunction', function: other, before: other },
        { type: 'otherFunction', function: null, before: other },
        { type: 'managementDevice', managementDevice: manager, before: null },
        { type: 'managementDevice', managementDevice: manager, before: manager },
        { type: 'managementDevice', managementDevice: null, before: manager },
      ]),
    ).toEqual([
      'PF added          0000:65:00.0  driver mlx5_core, 2 of 8 VFs',
      'PF changed        0000:65:00.0  driver mlx5_core, 2 of 8 VFs (numVfs)',
      'VF added          0000:65:00.3  vf 1 of 0000:65:00.0, driver mlx5_core',
      'VF changed        0000:65:00.3  vf 1 of 0000:65:00.0, driver mlx5_core (driver)',
      'VF removed        0000:65:00.3',
      'PF removed        0000:65:00.0',
      'function added    0000:07:00.0  no driver',
      'function changed  0000:07:00.0  no driver',
      'function removed  0000:07:00.0',
      'mgmtdev added     vdpasim_net   net',
      'mgmtdev changed   vdpasim_net   net',
      'mgmtdev removed   vdpasim_net',
    ]);
  });

  it('says what may be missing, and prints the host again where it must be taken anew', async () => {
    const error = new VdpaError('KERNEL_TIMEOUT', 'watch: no answer', { retry: 'later' });
    const lines = await linesOf([
      { type: 'resync', reason: 'events-lost' },
      { type: 'resync', reason: 'consumer-slow' },
      { type: 'stale', error },
    ]);
    expect(lines).toEqual([
      expect.stringMatching(/^resync +the kernel dropped events/),
      expect.stringMatching(/^inventory /),
      expect.stringMatching(/^resync +the output was read too slowly/),
      expect.stringMatching(/^inventory /),
      expect.stringMatching(/^stale +watch: no answer \[KERNEL_TIMEOUT\]$/),
    ]);
  });

  it('keeps a strange name on its line, harmless', async () => {
    const strange = vfDevice('\u001b[31m\nvdpa', place);
    expect(await linesOf([{ type: 'ready', device: strange }])).toEqual([
      'ready             \\x1b[31m\\x0avdpa  ✓ usable',
    ]);
  });

  it('ends with 0 when it is interrupted, before it began or later', async () => {
    const interrupted = new Interruption('interrupted', 130);
    const later = fakeHost({
      events: () => {
        throw interrupted;
      },
    });
    expect(await runCli(['watch'], { host: later })).toMatchObject({ code: 0, stderr: '' });
    const before = { ...fakeHost(), watch: () => Promise.reject(interrupted) };
    expect(await runCli(['watch'], { host: before })).toMatchObject({ code: 0, stdout: '' });
  });

  it('ends with 1 and the error when the host can not be followed', async () => {
    const error = new VdpaError('NOT_SUPPORTED', 'a captured host does not change');
    const host = { ...fakeHost(), watch: () => Promise.reject(error) };
    expect(await runCli(['watch', '--root', '/x'], { host })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'vdpa-host: a captured host does not change [NOT_SUPPORTED]\n',
    });
  });
});
