import { beforeEach, describe, expect, test } from 'vitest';
import { PendingChanges } from '../../src/host/pending-changes.js';
import type { UeventRow } from '../../src/rows.js';

let pending: PendingChanges;
beforeEach(() => {
  pending = new PendingChanges();
});

function event(action: string, name: string, seqnum = 1n, subsystem = 'vdpa'): UeventRow {
  return { action, subsystem, devpath: `/devices/pci0000:64/0000:65:00.2/${name}`, seqnum };
}

const nothing = { names: [], removed: new Set(), everything: false, lost: false };

describe('what is to be read', () => {
  test('is nothing before anything happened, and after it was taken', () => {
    expect([pending.any, pending.take()]).toEqual([false, nothing]);
    pending.addEvent(event('add', 'vdpa0'));
    expect([pending.any, pending.take().names]).toEqual([true, ['vdpa0']]);
    expect([pending.any, pending.take()]).toEqual([false, nothing]);
  });

  test('is a device once, however much is told of it', () => {
    for (const action of ['add', 'bind', 'change', 'unbind', 'bind']) {
      pending.addEvent(event(action, 'vdpa0'));
    }
    expect(pending.take()).toEqual({ ...nothing, names: ['vdpa0'] });
  });

  test('says which went away, although they are back', () => {
    for (const action of ['remove', 'add']) pending.addEvent(event(action, 'vdpa0'));
    pending.addEvent(event('add', 'vdpa1'));
    expect(pending.take()).toEqual({
      ...nothing,
      names: ['vdpa0', 'vdpa1'],
      removed: new Set(['vdpa0']),
    });
  });

  test.each(['pci', 'auxiliary', 'module', 'net'])(
    'is everything after an event of %s',
    (subsystem) => {
      pending.addEvent(event('change', 'x', 1n, subsystem));
      expect(pending.everything).toBe(true);
      expect(pending.take()).toMatchObject({ everything: true, lost: false });
    },
  );

  test('is everything after a device was renamed: the event has one name of two', () => {
    pending.addEvent(event('move', 'vdpa0'));
    expect(pending.take().everything).toBe(true);
  });

  test('is everything after a loss, which is told apart', () => {
    pending.addLoss();
    expect(pending.take()).toMatchObject({ everything: true, lost: true });
    expect(pending.take()).toEqual(nothing);
  });

  test('is everything beyond 128 devices, and stays bounded', () => {
    for (let i = 0; i < 128; i++) pending.addEvent(event('add', `vdpa${i}`));
    expect(pending.everything).toBe(false);
    for (let i = 128; i < 10_000; i++) pending.addEvent(event('add', `vdpa${i}`));
    const { names, everything } = pending.take();
    expect(everything).toBe(true);
    expect(names.length).toBeLessThan(200);
  });

  test('counts as lost when more devices went away than are remembered', () => {
    for (let i = 0; i < 4096; i++) pending.addEvent(event('remove', `vdpa${i}`));
    pending.addEvent(event('remove', 'vdpa0'));
    pending.addEvent(event('remove', 'vdpa4096'));
    const { removed, lost } = pending.take();
    expect(removed.size).toBe(4096);
    expect(lost).toBe(true);
  });

  test('is put back with what came since', () => {
    pending.addEvent(event('remove', 'vdpa0'));
    pending.addLoss();
    const batch = pending.take();
    pending.addEvent(event('remove', 'vdpa1'));
    pending.putBack(batch);
    expect(pending.take()).toMatchObject({
      removed: new Set(['vdpa0', 'vdpa1']),
      everything: true,
      lost: true,
    });
  });
});

describe('events of before a reading', () => {
  test('ask for nothing', () => {
    pending.readUpTo(10n);
    pending.addEvent(event('bind', 'vdpa0', 10n));
    pending.addEvent(event('add', '0000:65:00.3', 10n, 'pci'));
    expect(pending.any).toBe(false);
    pending.addEvent(event('bind', 'vdpa0', 11n));
    expect(pending.take().names).toEqual(['vdpa0']);
  });

  test('all count where the kernel does not number them', () => {
    pending.readUpTo(0n);
    pending.addEvent(event('add', 'vdpa0', 1n));
    expect(pending.any).toBe(true);
  });

  test('still say that a device is another one than at the reading before', () => {
    pending.readUpTo(10n);
    pending.readUpTo(20n);
    pending.addEvent(event('remove', 'vdpa0', 10n));
    expect(pending.any).toBe(false);
    pending.addEvent(event('remove', 'vdpa1', 11n));
    pending.addEvent(event('add', 'vdpa1', 12n));
    expect(pending.take()).toEqual({ ...nothing, names: ['vdpa1'], removed: new Set(['vdpa1']) });
  });

  test('of before the first reading say nothing: nobody knew the device that went', () => {
    pending.readUpTo(10n);
    pending.addEvent(event('remove', 'vdpa0', 9n));
    expect(pending.any).toBe(false);
  });
});
