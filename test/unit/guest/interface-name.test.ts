import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeviceId } from '../../../src/host/device-id.js';
import { interfaceName, isInterfaceName, namedInterface } from '../../../src/index.js';
import type { ClaimId } from '../../../src/tracker/claim.js';

const hex = (length: number) =>
  fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: length, maxLength: length });
const pciAddress = fc
  .tuple(hex(4), hex(2), fc.integer({ min: 0, max: 31 }), fc.integer({ min: 0, max: 7 }))
  .map(([domain, bus, slot, fn]) => `${domain}:${bus}:${slot.toString(16).padStart(2, '0')}.${fn}`);
const deviceId = fc.oneof(
  pciAddress.map((address) => `pci/${address}` as DeviceId),
  fc
    .tuple(pciAddress, fc.integer({ min: 0, max: 0xffff_ffff }))
    .map(([address, sf]) => `pci/${address}/sf/${sf}` as DeviceId),
  fc
    .oneof(
      fc.string({ unit: fc.constantFrom(...'a_-0p5f'), minLength: 1, maxLength: 12 }),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    )
    .filter((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..')
    .map((name) => `vdpa/${name}` as DeviceId),
);
const claimId = fc
  .oneof(
    fc.uuid(),
    // What names are made of, so that one might be taken for another.
    fc.string({ unit: fc.constantFrom(...'a_-0p5f'), minLength: 1, maxLength: 12 }),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 80 }),
  )
  .map((text) => text as ClaimId);
const named = fc.record({ claimId, deviceId });

describe('the name of an interface', () => {
  test('of an ordinary claim is short, and says what it is of', () => {
    const claim = '0f6d4c1e-5b1f-4a53-9a3e-2f7f3a1b2c3d' as ClaimId;
    expect(interfaceName(claim, 'pci/0000:65:00.2' as DeviceId)).toBe(
      'vdpa-0f6d4c1e-5b1f-4a53-9a3e-2f7f3a1b2c3d_p0000-65-00-2',
    );
    expect(interfaceName('blue' as ClaimId, 'pci/0000:65:00.0/sf/88' as DeviceId)).toBe(
      'vdpa-blue_s0000-65-00-0-88',
    );
    expect(interfaceName('a b' as ClaimId, 'vdpa/sim_0' as DeviceId)).toBe('vdpa-a_20b_vsim_5f0');
  });

  test('is of what QEMU and libvirt take as an id', () => {
    fc.assert(
      fc.property(named, (one) => {
        expect(interfaceName(one.claimId, one.deviceId)).toMatch(/^[A-Za-z][A-Za-z0-9_-]{0,127}$/);
      }),
    );
  });

  test('never is that of another device or claim', () => {
    fc.assert(
      fc.property(named, named, (one, other) => {
        const same = one.claimId === other.claimId && one.deviceId === other.deviceId;
        const names = [one, other].map((each) => interfaceName(each.claimId, each.deviceId));
        expect(names[0] === names[1]).toBe(same);
      }),
      { numRuns: 1000 },
    );
  });

  test('tells claim and device again, unless it is too long for that', () => {
    fc.assert(
      fc.property(named, (one) => {
        const name = interfaceName(one.claimId, one.deviceId);
        expect(isInterfaceName(name)).toBe(true);
        const told = namedInterface(name);
        if (name.startsWith('vdpa-_h')) expect(told).toBeNull();
        else expect(told).toEqual(one);
      }),
    );
    const long = 'x'.repeat(200) as ClaimId;
    expect(interfaceName(long, 'vdpa/sim0' as DeviceId)).toMatch(/^vdpa-_h[0-9a-f]{64}$/);
  });

  test('is read in one spelling only', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'vdpa-_0145fps'), maxLength: 30 }),
        (tail) => {
          const name = `vdpa-${tail}`;
          const told = namedInterface(name);
          if (told !== null) expect(interfaceName(told.claimId, told.deviceId)).toBe(name);
        },
      ),
      { numRuns: 2000 },
    );
    for (const other of [
      ...['', 'net0', 'vdpa-', 'vdpa-x', 'vdpa-x_', 'vdpa-_p0000-65-00-2', 'ua-vdpa-x_vsim0'],
      ...['vdpa-x_p0000-65-00-8', 'vdpa-x_p0000-65-00-2-7', 'vdpa-x_s0000-65-00-2', 'vdpa-x_61_vs'],
      ...['vdpa-x_v_2e', 'vdpa-x_v_ff', 'vdpa-_h00', `vdpa-x_v${'y'.repeat(200)}`],
    ]) {
      expect([other, isInterfaceName(other)]).toEqual([other, false]);
    }
  });

  test('of a half surrogate pair is none of another text', () => {
    const device = 'vdpa/sim0' as DeviceId;
    const names = ['\ud800', '\ud801', '\udc00', '\ufffd', '?'].map((claim) =>
      interfaceName(claim as ClaimId, device),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  test('is not made of what is no claim or no device', () => {
    expect(() => interfaceName('' as ClaimId, 'vdpa/sim0' as DeviceId)).toThrow(TypeError);
    expect(() => interfaceName('x' as ClaimId, 'eth0' as DeviceId)).toThrow(TypeError);
  });
});
