import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readDomain } from '../../../src/guest/domain-xml.js';
import type { WantedInterface } from '../../../src/guest/guest-interface.js';
import { interfaceName } from '../../../src/guest/interface-name.js';
import { aliasOf, interfaceXml, nameInAlias } from '../../../src/guest/interface-xml.js';
import { parseDeviceId } from '../../../src/host/device-id.js';
import type { ClaimId } from '../../../src/tracker/claim.js';

const deviceId = 'pci/0000:65:00.2';
parseDeviceId(deviceId);

function wanted(more: Partial<WantedInterface> = {}): WantedInterface {
  const id = deviceId as WantedInterface['deviceId'];
  return {
    name: interfaceName('claim1' as ClaimId, id),
    deviceId: id,
    charDevice: { path: '/dev/vhost-vdpa-3', major: 508, minor: 3 },
    mac: 'fa:16:3e:00:00:01',
    queuePairs: 1,
    mtu: null,
    ...more,
  };
}

const domain = (devices: string, more = '', attributes = "type='qemu' id='7'"): string =>
  `<domain ${attributes}><name>vm</name><memory unit='KiB'>262144</memory>${more}<devices>${devices}</devices></domain>`;

describe('the interface that libvirt is given', () => {
  test("has nova's elements, and the alias", () => {
    const want = wanted();
    expect(interfaceXml(want, 'fa:16:3e:00:00:01')).toBe(
      [
        '<interface type="vdpa">',
        '  <mac address="fa:16:3e:00:00:01"/>',
        '  <source dev="/dev/vhost-vdpa-3"/>',
        `  <alias name="ua-${want.name}"/>`,
        '</interface>\n',
      ].join('\n'),
    );
  });

  test('has queues and MTU where they are asked for', () => {
    const xml = interfaceXml(wanted({ queuePairs: 4, mtu: 9000 }), 'fa:16:3e:00:00:01');
    expect(xml).toContain('<model type="virtio"/>\n  <driver queues="4"/>\n  <mtu size="9000"/>');
  });

  test('is read as it was written, whatever the path', () => {
    // What XML has characters for.
    const path = fc.stringMatching(/^[\t\n\r -~\u00a0-\ud7ff\ue000-\ufffd]{1,20}$/u);
    fc.assert(
      fc.property(path, fc.integer({ min: 1, max: 16384 }), (source, queuePairs) => {
        const want = wanted({ queuePairs, charDevice: { path: source, major: 1, minor: 1 } });
        const xml = domain(interfaceXml(want, 'fa:16:3e:00:00:01'));
        expect(readDomain(xml).interfaces).toEqual([
          {
            type: 'vdpa',
            alias: aliasOf(want.name),
            mac: 'fa:16:3e:00:00:01',
            source,
            queuePairs,
            mtu: null,
          },
        ]);
      }),
    );
  });

  test('keeps what is the end of a line in other texts than XML 1.0', () => {
    const source = '/dev/\u0085\u2028\u2029';
    const want = wanted({ charDevice: { path: source, major: 1, minor: 1 } });
    const xml = domain(interfaceXml(want, 'fa:16:3e:00:00:01'));
    expect(readDomain(xml).interfaces[0]?.source).toBe(source);
  });

  test('is found again by its alias', () => {
    const { name } = wanted();
    expect(nameInAlias(aliasOf(name))).toBe(name);
    expect(nameInAlias('net0')).toBeNull();
  });
});

describe('the description of a guest', () => {
  test('tells whether it is of one that runs', () => {
    expect(readDomain(domain('')).running).toBe(true);
    expect(readDomain(domain('', '', "type='qemu'")).running).toBe(false);
  });

  test.each([
    ["<memory unit='KiB'>8388608</memory>", 8 * 2 ** 30],
    ['<memory>1024</memory>', 2 ** 20],
    ["<memory unit='GiB'>2</memory>", 2 ** 31],
    ["<memory unit='MB'>3</memory>", 3e6],
    ["<memory unit='bytes'>77</memory>", 77],
  ])('has its memory in any unit: %s', (memory, bytes) => {
    expect(readDomain(`<domain type='kvm'>${memory}</domain>`).memoryBytes).toBe(bytes);
  });

  test('has its limit of locked memory, when it has one', () => {
    expect(readDomain(domain('')).hardLimitBytes).toBeNull();
    const limited = domain('', "<memtune><hard_limit unit='KiB'>1048576</hard_limit></memtune>");
    expect(readDomain(limited).hardLimitBytes).toBe(2 ** 30);
  });

  test('has all interfaces, ours among them', () => {
    const network =
      "<interface type='network'><mac address='52:54:00:AA:BB:CC'/><source network='default'/><alias name='net0'/></interface>";
    const [other, ours] = readDomain(domain(network + interfaceXml(wanted(), 'x'))).interfaces;
    expect(other).toEqual({
      type: 'network',
      alias: 'net0',
      mac: '52:54:00:aa:bb:cc',
      source: null,
      queuePairs: 1,
      mtu: null,
    });
    expect(ours?.alias).toBe(aliasOf(wanted().name));
  });

  test('counts what locks memory: vDPA devices each, passed functions together', () => {
    const devices =
      "<interface type='vdpa'/><interface type='vdpa'/><disk type='vhostvdpa'/><hostdev type='pci'/>" +
      "<hostdev type='usb'/><disk type='nvme'/><disk type='file'/>";
    expect(readDomain(domain(devices)).locking).toEqual({ each: 3, together: 2 });
  });

  const root = "<controller type='pci' index='0' model='pcie-root'/>";
  const port = (index: number, more = ''): string =>
    `<controller type='pci' index='${index}' model='pcie-root-port'>${more}<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x${index}'/></controller>`;
  const on = (bus: string): string =>
    `<interface type='network'><address type='pci' domain='0x0000' bus='${bus}' slot='0x00' function='0x0'/></interface>`;

  test.each<[string, string, number | null]>([
    ['without PCIe', "<controller type='pci' index='0' model='pci-root'/>", null],
    ['without a controller', '', null],
    ['no port', root, 0],
    ['two ports', root + port(1) + port(2), 2],
    ['one of them taken', root + port(1) + port(2) + on('0x02'), 1],
    ['the eleventh taken', root + port(10) + port(11) + on('0x0b'), 1],
    [
      'one that a USB bus has the number of',
      `${root + port(1)}<hub type='usb'><address type='usb' bus='1' port='1'/></hub>`,
      1,
    ],
    ['all taken', root + port(1) + on('0x01'), 0],
    ['one that takes nothing while it runs', root + port(1, "<target hotplug='off'/>"), 0],
    [
      'a switch',
      `${root}<controller type='pci' index='3' model='pcie-switch-downstream-port'/>`,
      1,
    ],
  ])('counts the ports that are free: %s', (_, devices, free) => {
    expect(readDomain(domain(devices)).freePorts).toBe(free);
  });

  test.each([
    '',
    '<domain',
    '<network/>',
    "<domain type='kvm'/>",
    '<domain><memory>much</memory></domain>',
    '<domain><memory unit="parsec">1</memory></domain>',
    '<domain/><domain/>',
    '<!DOCTYPE domain [<!ENTITY m "1">]><domain><memory>&m;</memory></domain>',
  ])('is refused when it is none: %s', (xml) => {
    expect(() => readDomain(xml)).toThrow(expect.objectContaining({ code: 'GUEST_PROTOCOL' }));
  });

  test('of any text is read or refused', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          readDomain(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'GUEST_PROTOCOL' });
        }
      }),
    );
  });
});
