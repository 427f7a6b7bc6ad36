import { describe, expect, test } from 'vitest';
import { deviceHealth, sameHealth } from '../../src/host/device-health.js';
import type { VdpaDevice } from '../../src/index.js';
import { pf, unbound, vf, vfDevice } from './cli/support/inventory.js';

const place = vf(pf('0000:65:00.0'), 1);
const bound = vfDevice('vdpa0', place);
const onNode = (nodeExists: boolean, reason: 'no-node' | 'node-mismatch'): VdpaDevice => ({
  ...bound,
  charDevice: { path: '/dev/vhost-vdpa-0', major: 511, minor: 0, nodeExists },
  usable: nodeExists,
  reasons: nodeExists ? [] : [reason],
});

describe('the health of a device', () => {
  test.each([
    ['bound, with its node and link', bound, 'up', ['ok', 'ok', 'up', true]],
    ['whose link is down', bound, 'down', ['ok', 'ok', 'down', false]],
    ['that did not tell its link', bound, 'no-answer', ['ok', 'ok', 'no-answer', true]],
    ['without a link', bound, null, ['ok', 'ok', null, true]],
    ['without a driver', vfDevice('vdpa0', place, unbound), 'up', ['none', null, 'up', false]],
    [
      'whose driver made no char device',
      vfDevice('vdpa0', place, { charDevice: null, reasons: ['no-char-device'] }),
      'up',
      ['failed', null, 'up', false],
    ],
    [
      "of the host's own driver",
      vfDevice('vdpa0', place, { driver: 'virtio_vdpa', charDevice: null }),
      'up',
      ['ok', null, 'up', true],
    ],
    ['without a node', onNode(false, 'no-node'), 'up', ['ok', 'missing', 'up', false]],
    ['with a stale node', onNode(false, 'node-mismatch'), 'up', ['ok', 'mismatch', 'up', false]],
  ] as const)('%s', (_, device, link, [driver, node, told, healthy]) => {
    expect(deviceHealth(device, link)).toEqual({
      id: device.id,
      name: 'vdpa0',
      driver,
      node,
      link: told,
      healthy,
    });
  });

  test('is another one as soon as any of it is', () => {
    const health = deviceHealth(bound, 'up');
    expect(sameHealth(health, deviceHealth(bound, 'up'))).toBe(true);
    for (const other of [
      deviceHealth(bound, 'down'),
      deviceHealth(onNode(false, 'no-node'), 'up'),
      deviceHealth(vfDevice('vdpa0', place, unbound), 'up'),
      deviceHealth(vfDevice('vdpa0', vf(pf('0000:65:00.0'), 2)), 'up'),
    ]) {
      expect(sameHealth(health, other)).toBe(false);
    }
  });
});
