import { describe, expect, test } from 'vitest';
import { deviceConfig } from '../../src/host/device-config.js';
import { deviceConfigRow } from './support/rows.js';

describe('a device configuration', () => {
  test.each([
    [null, null, null],
    [0, 'down', false],
    [1, 'up', false],
    [2, 'down', true],
    [3, 'up', true],
    [0xfffc, 'down', false],
  ])('reads the status %s as link %s, announce %s', (netStatus, link, announce) => {
    expect(deviceConfig(deviceConfigRow({ netStatus })).net).toMatchObject({ link, announce });
  });

  test('has the part of its own class only', () => {
    const everything = { mac: '02:00:00:00:00:01', mtu: 1500, readOnly: 1, flush: 0 };
    const of = (deviceId: number) => deviceConfig(deviceConfigRow({ ...everything, deviceId }));
    expect(of(1)).toMatchObject({ class: 'net', net: { mtu: 1500 }, block: null });
    expect(of(2)).toMatchObject({ class: 'block', net: null, block: { readOnly: true } });
    expect(of(20)).toMatchObject({ class: 'virtio-20', net: null, block: null });
  });

  test('tells a block device of an old kernel from one that is not read-only', () => {
    expect(deviceConfig(deviceConfigRow({ deviceId: 2 })).block).toBeNull();
    expect(deviceConfig(deviceConfigRow({ deviceId: 2, readOnly: 0 })).block).toMatchObject({
      readOnly: false,
      flush: null,
    });
  });

  test('tells no features from unknown ones', () => {
    const unknown = deviceConfig(deviceConfigRow());
    const none = deviceConfig(deviceConfigRow({ deviceFeatures: 0n, negotiatedFeatures: 0n }));
    expect([unknown.features, unknown.negotiatedFeatures]).toEqual([null, null]);
    expect([none.features, none.negotiatedFeatures]).toEqual([0n, 0n]);
    for (const { featureNames, negotiatedFeatureNames } of [unknown, none]) {
      expect([featureNames, negotiatedFeatureNames]).toEqual([[], []]);
    }
  });

  test('names features by the class of the device', () => {
    const names = (deviceId: number) =>
      deviceConfig(deviceConfigRow({ deviceId, deviceFeatures: 0x60n })).featureNames;
    expect(names(1)).toEqual(['MAC', 'GSO']);
    expect(names(2)).toEqual(['RO', 'BLK_SIZE']);
    expect(names(3)).toEqual(['BIT_5', 'BIT_6']);
  });
});
