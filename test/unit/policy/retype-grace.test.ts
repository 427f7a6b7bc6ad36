import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeviceId } from '../../../src/host/device-id.js';
import type { ReportedDevice } from '../../../src/policy/reported-device.js';
import { RetypeGrace } from '../../../src/policy/retype-grace.js';
import { finish } from '../../../src/turns.js';
import { device } from './device.js';

const vdpa = device({ extra: { parent_ifname: 'ens1f0' } });
const plain: ReportedDevice = {
  ...vdpa,
  type: 'type-VF',
  extra: { parent_ifname: 'ens1f0', capabilities: '{"sriov":{"vf_num":0}}' },
};
const gone = { ...vdpa, reasons: ['vdpa-gone'] };
const idle: ReadonlySet<DeviceId> = new Set();
const busy: ReadonlySet<DeviceId> = new Set([vdpa.id]);

/** A grace of 10 seconds, and reports at given times. */
function follow(known: readonly DeviceId[] = []) {
  let time = 0;
  const grace = new RetypeGrace({ graceMs: 10_000, now: () => time, known });
  return {
    report: (at: number, devices: readonly ReportedDevice[], atWork = idle) => {
      time = at;
      return finish(grace.hold(devices, atWork));
    },
    dueAt: () => grace.dueAt,
  };
}

describe('a VF that loses its vDPA device', () => {
  test('stays a vdpa that nobody can have until the grace is over', () => {
    const { report, dueAt } = follow();
    expect(report(0, [vdpa])).toEqual([vdpa]);
    expect(dueAt()).toBeNull();
    expect(report(500, [plain])).toEqual([gone]);
    expect(dueAt()).toBe(10_500);
    expect(report(10_499, [plain])).toEqual([gone]);
    expect(report(10_500, [plain])).toEqual([plain]);
    expect(dueAt()).toBeNull();
    expect(report(10_501, [plain])).toEqual([plain]);
  });

  test('is had again at once with a new device, and has the whole grace when it loses that', () => {
    const { report } = follow();
    report(0, [vdpa]);
    report(1_000, [plain]);
    expect(report(2_000, [vdpa])).toEqual([vdpa]);
    report(9_000, [plain]);
    expect(report(18_999, [plain])).toEqual([gone]);
    expect(report(19_000, [plain])).toEqual([plain]);
  });

  test('is held back for as long as something of our own is at work on it', () => {
    const { report, dueAt } = follow();
    report(0, [vdpa]);
    report(0, [plain], busy);
    expect(report(60_000, [plain], busy)).toEqual([gone]);
    // Time alone changes nothing: the end of the work does.
    expect(dueAt()).toBeNull();
    expect(report(60_001, [plain])).toEqual([plain]);
  });

  test('is held back although it was gone itself in between', () => {
    const { report } = follow();
    report(0, [vdpa]);
    expect(report(1_000, [])).toEqual([]);
    expect(report(10_999, [plain])).toEqual([gone]);
    expect(report(11_000, [plain])).toEqual([plain]);
  });

  test('is held back by a process that began after the loss, when the records knew the device', () => {
    expect(follow([vdpa.id]).report(0, [plain])).toEqual([gone]);
    expect(follow().report(0, [plain])).toEqual([plain]);
  });
});

test('what never was a vDPA device, or is no VF, passes as it is', () => {
  const { report } = follow();
  const pf = device({ type: 'type-PF' });
  report(0, [vdpa]);
  expect(report(1, [pf])).toEqual([pf]);
  expect(report(2, [plain], busy)).toEqual([gone]);
});

test('no VF is plain that was a vdpa less than the grace ago, and none is held without need', () => {
  const ids = ['pci/0000:06:00.2', 'pci/0000:06:00.3'] as DeviceId[];
  const state = fc.constantFrom('vdpa', 'plain', 'absent');
  const step = fc.record({
    after: fc.integer({ min: 0, max: 7_000 }),
    states: fc.tuple(state, state),
    atWork: fc.subarray(ids),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const { report, dueAt } = follow();
      /** By device: when it was first seen without vDPA; null while it has one. */
      const lost = new Map<DeviceId, number | null>();
      let time = 0;
      for (const { after, states, atWork } of steps) {
        time += after;
        const devices = ids.flatMap((id, index) =>
          states[index] === 'absent' ? [] : [{ ...(states[index] === 'vdpa' ? vdpa : plain), id }],
        );
        const held = report(time, devices, new Set(atWork));
        let due: number | null = null;
        ids.forEach((id, index) => {
          if (states[index] === 'vdpa') lost.set(id, null);
          else if (lost.get(id) === null) lost.set(id, time);
          const end = (lost.get(id) ?? Number.NEGATIVE_INFINITY) + 10_000;
          if (states[index] !== 'vdpa' && time >= end && !atWork.includes(id)) lost.delete(id);
          if (states[index] !== 'plain') return;
          const found = held.find((one) => one.id === id);
          expect(found?.type).toBe(lost.has(id) ? 'vdpa' : 'type-VF');
          if (lost.has(id) && end > time) due = Math.min(due ?? end, end);
        });
        expect(dueAt()).toBe(due);
      }
    }),
  );
});
