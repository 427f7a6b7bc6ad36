import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { reasonTexts } from '../../../src/cli/view/device-state.js';
import { listLines } from '../../../src/cli/view/list-view.js';
import type { UnusableReason } from '../../../src/index.js';
import {
  device,
  inventory,
  managementDevice,
  pf,
  sfDevice,
  simulator,
  unbound,
  vf,
  vfDevice,
} from './support/inventory.js';
import { ascii, coloured, narrow, plain } from './support/terminals.js';

const port = pf('0000:65:00.0');
const reasons = Object.keys(reasonTexts) as UnusableReason[];

describe('list', () => {
  it('aligns the columns and ends each row with the state', () => {
    const host = inventory({
      devices: [
        vfDevice('vdpa0', vf(port, 0)),
        vfDevice('a-longer-name', vf(port, 1), unbound),
        sfDevice('vdpa2', port, 88),
        simulator('sim3', { class: 'block' }),
      ],
    });
    expect(listLines(host, plain)).toEqual([
      'NAME           CLASS  PARENT                               DRIVER      CHAR DEVICE        NUMA  STATE',
      'vdpa0          net    0000:65:00.2 (vf 0 of 0000:65:00.0)  vhost_vdpa  /dev/vhost-vdpa-0  0     ✓ usable',
      'a-longer-name  net    0000:65:00.3 (vf 1 of 0000:65:00.0)  -           -                  0     ! not bound to a driver',
      'vdpa2          net    0000:65:00.0 (sf 88)                 vhost_vdpa  /dev/vhost-vdpa-2  0     – on a scalable function',
      'sim3           block  simulator vdpasim_blk                vhost_vdpa  /dev/vhost-vdpa-3  -     – software device, not a network device',
    ]);
  });

  it.each(reasons)('says %s in words of its own', (reason) => {
    const row = listLines(
      inventory({ devices: [vfDevice('vdpa0', vf(port, 0), { reasons: [reason] })] }),
      plain,
    )[1];
    expect(row).toMatch(new RegExp(`[!✗–] ${escapeForRegExp(reasonTexts[reason].words)}$`));
    expect(row).not.toContain('usable');
  });

  it('has different words for different reasons', () => {
    expect(new Set(reasons.map((reason) => reasonTexts[reason].words)).size).toBe(reasons.length);
  });

  it('puts the worst reason first and counts those beyond two', () => {
    const host = inventory({
      devices: [
        vfDevice('vdpa0', vf(port, 0), {
          reasons: ['software-parent', 'not-virtio-net', 'not-bound', 'parent-shared'],
        }),
      ],
    });
    expect(listLines(host, plain)[1]).toMatch(
      /✗ shares its parent with another device, software device, 2 more$/,
    );
  });

  it('colours by state: usable green, unbound yellow, wrong red', () => {
    const rows = listLines(
      inventory({
        devices: [
          vfDevice('good', vf(port, 0)),
          vfDevice('free', vf(port, 1), unbound),
          vfDevice('bad', vf(port, 2), { reasons: ['no-node'] }),
        ],
      }),
      coloured,
    );
    expect(rows[1]).toContain('\u001b[32mgood\u001b[0m');
    expect(rows[2]).toContain('\u001b[33m! not bound to a driver\u001b[0m');
    expect(rows[3]).toContain('\u001b[31m✗ no node below /dev\u001b[0m');
  });

  it('aligns alike with and without colour', () => {
    const host = inventory({
      devices: [vfDevice('vdpa0', vf(port, 0)), vfDevice('longer', vf(port, 1), unbound)],
    });
    const bare = listLines(host, coloured).map((line) => stripVTControlCharacters(line));
    expect(bare).toEqual(listLines(host, plain));
  });

  it('writes ASCII only where the locale is not UTF-8', () => {
    const host = inventory({
      devices: [vfDevice('vdpä0', vf(port, 0)), simulator('sim1')],
      consistent: false,
    });
    const text = listLines(host, ascii).join('\n');
    expect(text).toContain('vdp\\u{e4}0');
    expect(text).toMatch(/^[ -~\n]*$/);
  });

  it('escapes what a name would do to the terminal', () => {
    const host = inventory({
      devices: [vfDevice('a\u001b[2Jb\nc\u202ed\u009be', vf(port, 0))],
    });
    const [, row, ...more] = listLines(host, plain);
    expect(row).toContain('a\\x1b[2Jb\\x0ac\\u{202e}d\\u{9b}e');
    expect(more).toEqual([]);
  });

  it('wraps the state below itself on a narrow terminal and cuts nothing', () => {
    const host = inventory({
      devices: [
        vfDevice('vdpa0', vf(port, 0), { reasons: ['parent-shared', 'bound-to-virtio-vdpa'] }),
      ],
    });
    const [heading = '', ...rows] = listLines(host, narrow(130));
    const column = heading.indexOf('STATE');
    expect(rows.length).toBeGreaterThan(1);
    for (const row of rows) expect(row.length).toBeLessThanOrEqual(130);
    for (const row of rows.slice(1)) expect(row.search(/\S/)).toBe(column);
    const words = rows.map((row) => row.slice(column)).join(' ');
    expect(words).toBe('✗ shares its parent with another device, held by the host (virtio_vdpa)');
    // With too little room for that, rows stay whole and the terminal wraps.
    expect(listLines(host, narrow(60))).toEqual(listLines(host, plain));
  });

  it('says that the host did not keep still', () => {
    const host = inventory({ devices: [simulator('sim0')], consistent: false });
    expect(listLines(host, plain).at(-1)).toMatch(/kept changing/);
    expect(listLines({ ...host, consistent: true }, plain).join()).not.toMatch(/kept changing/);
  });

  it('shows a device of which nearly nothing is known', () => {
    const unknown = device('odd0', 'other', {
      class: null,
      driver: null,
      charDevice: null,
      reasons: ['software-parent', 'unmanaged', 'not-bound'],
    });
    expect(listLines(inventory({ devices: [unknown] }), plain)[1]).toBe(
      'odd0  -      unknown  -       -            -     ✗ unknown to the vdpa family, software device, 1 more',
    );
  });
});

describe('list of a host without devices', () => {
  it('sends a kernel without the family to modprobe and doctor', () => {
    expect(listLines(inventory({ abi: null }), plain).join('\n')).toMatch(
      /no vdpa netlink family.*\n.*modprobe -a vdpa.*vdpa-host doctor/,
    );
  });

  it('names a management device that can make one', () => {
    const host = inventory({ managementDevices: [managementDevice('pci/0000:65:00.2')] });
    expect(listLines(host, plain)).toEqual([
      'No vDPA devices, but 1 management device can make one:',
      'vdpa dev add name NAME mgmtdev pci/0000:65:00.2',
    ]);
  });

  it('names the PF that has no VFs yet', () => {
    const host = inventory({ pfs: [pf('0000:65:00.0', { numVfs: 0, totalVfs: 16 })] });
    expect(listLines(host, plain).join('\n')).toContain(
      'echo N > /sys/bus/pci/devices/0000:65:00.0/sriov_numvfs (at most 16)',
    );
  });

  it('asks for the driver when there is nothing at all', () => {
    expect(listLines(inventory(), plain).join('\n')).toMatch(/Load the vDPA driver.*doctor/);
  });
});

function escapeForRegExp(text: string): string {
  return text.replaceAll(/[()/]/g, '\\$&');
}
