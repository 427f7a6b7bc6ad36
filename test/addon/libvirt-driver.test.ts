import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { WantedInterface } from '../../src/guest/guest-interface.js';
import { interfaceName } from '../../src/guest/interface-name.js';
import { LibvirtAttach } from '../../src/guest/libvirt-attach.js';
import { LibvirtConnection } from '../../src/guest/libvirt-connection.js';
import { LibvirtDriver } from '../../src/guest/libvirt-driver.js';
import { LibvirtGuest } from '../../src/guest/libvirt-guest.js';
import type { DeviceId } from '../../src/host/device-id.js';
import type { ClaimId, InstanceId } from '../../src/tracker/claim.js';

const library = 'libvirt.so.0';
const uuid = (last: number): string => `6695eb01-f6a4-8304-79aa-97f2502e193${last}`;
const name = interfaceName('claim1' as ClaimId, 'vdpa/sim0' as DeviceId);
const idOf = (domain: string): InstanceId => domain as InstanceId;

const port = "<controller type='pci' model='pcie-root-port'/>";
const vdpa = `<interface type='vdpa'><mac address='02:00:00:00:BE:EF'/><source dev='/dev/vhost-vdpa-7'/>
  <model type='virtio'/><driver queues='2'/><mtu size='1400'/><alias name='ua-${name}'/></interface>`;

function domain(at: number, called: string, devices: string, more = ''): string {
  return `<domain type='test'><name>${called}</name><uuid>${uuid(at)}</uuid>
    <memory unit='MiB'>1024</memory>${more}<vcpu>1</vcpu>
    <os><type arch='x86_64' machine='q35'>hvm</type></os>
    <devices><controller type='pci' model='pcie-root'/>${devices}</devices></domain>`;
}

/** Libvirt's own driver of the tests, of these domains. */
const node = `<node>
  ${domain(1, 'roomy', port + port)}
  ${domain(2, 'full', '')}
  ${domain(3, 'limited', port, "<memtune><hard_limit unit='MiB'>2047</hard_limit></memtune>")}
  ${domain(4, 'given', port + port + vdpa, "<memtune><hard_limit unit='GiB'>9</hard_limit></memtune>")}
</node>`;

let folder: string;
let uri: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'libvirt-node-'));
  writeFileSync(join(folder, 'node.xml'), node);
  uri = `test://${join(folder, 'node.xml')}`;
});
afterAll(() => rmSync(folder, { recursive: true }));

const open: LibvirtDriver[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((driver) => driver.close()));
});

function driverOf(options: ConstructorParameters<typeof LibvirtDriver>[0] = {}): LibvirtDriver {
  const driver = new LibvirtDriver({ uri, ...options });
  open.push(driver);
  return driver;
}

function wanted(more: Partial<WantedInterface> = {}): WantedInterface {
  return {
    name,
    deviceId: 'vdpa/sim0' as DeviceId,
    charDevice: { path: '/dev/vhost-vdpa-7', major: 508, minor: 7 },
    mac: '02:00:00:00:be:ef',
    queuePairs: 2,
    mtu: 1400,
    ...more,
  };
}

describe('the driver', () => {
  test('tells of the guests, and of the interfaces that are ours', async () => {
    const driver = driverOf();
    expect(await driver.guests()).toEqual([1, 2, 3, 4].map(uuid));
    expect(await driver.interfaces(idOf('roomy'))).toEqual([]);
    const given = [
      {
        name,
        claimId: 'claim1',
        deviceId: 'vdpa/sim0',
        charDevice: '/dev/vhost-vdpa-7',
        mac: '02:00:00:00:be:ef',
        queuePairs: 2,
        mtu: 1400,
        state: 'attached',
      },
    ];
    expect(await driver.interfaces(idOf('given'))).toEqual(given);
    expect(await driver.interfaces(idOf(uuid(4)))).toEqual(given);
  });

  test('says when there is no such guest, where a detach is done', async () => {
    const driver = driverOf();
    const nobody = idOf(uuid(9));
    await expect(driver.interfaces(nobody)).rejects.toMatchObject({ code: 'GUEST_NOT_FOUND' });
    await expect(driver.versions(nobody)).rejects.toMatchObject({ code: 'GUEST_NOT_FOUND' });
    await driver.detach(nobody, name);
  });

  test('refuses a libvirt whose guests have no vDPA', async () => {
    const driver = driverOf();
    const error = { code: 'NOT_SUPPORTED', message: expect.stringContaining('TEST has no vDPA') };
    await expect(driver.attach(idOf('roomy'), wanted())).rejects.toMatchObject(error);
    await expect(driver.versions(idOf('roomy'))).rejects.toMatchObject(error);
    expect(await driver.interfaces(idOf('roomy'))).toEqual([]);
  });

  test('refuses an interface without a MAC: libvirt would make one up', async () => {
    await expect(driverOf().attach(idOf('roomy'), wanted({ mac: null }))).rejects.toMatchObject({
      code: 'NOT_SUPPORTED',
    });
  });

  test('says what is missing where there is no libvirt, or none that answers', async () => {
    const absent = driverOf({ library: 'libvirt-absent.so.0' });
    await expect(absent.guests()).rejects.toMatchObject({ code: 'LIBVIRT_MISSING' });
    const silent = driverOf({ uri: 'qemu+unix:///system?socket=/nowhere' });
    await expect(silent.detach(idOf('vm'), name)).rejects.toMatchObject({
      code: 'GUEST_UNREACHABLE',
    });
  });

  test('keeps a program until it is closed, and no longer', async () => {
    const library = new URL('../../dist/guest/index.js', import.meta.url).href;
    const program = (end: string) => `
      const { LibvirtDriver } = await import(${JSON.stringify(library)});
      const driver = new LibvirtDriver({ uri: ${JSON.stringify(uri)} });
      console.log((await driver.guests()).length);
      ${end}`;
    const run = async (end: string) =>
      (await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program(end)]))
        .stdout;
    expect(await run("await driver.close(); console.log('closed')")).toBe('4\nclosed\n');
    expect(await run('')).toBe('4\n');
  });

  test('takes nothing more once it is closed', async () => {
    const driver = driverOf();
    const events = driver.events();
    await driver.interfaces(idOf('roomy'));
    await driver.close();
    expect(await events.next()).toEqual({ done: true, value: undefined });
    await expect(driver.guests()).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(driver.interfaces(idOf('roomy'))).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('an attach', () => {
  /** Without what a driver looks at before. */
  async function attach(guest: string, more: Partial<WantedInterface> = {}): Promise<unknown> {
    const connection = new LibvirtConnection(
      { uri, library },
      { event: () => {}, reconnected: () => {} },
    );
    try {
      const attaching = new LibvirtAttach(
        new LibvirtGuest(idOf(guest), connection),
        wanted(more),
        undefined,
      );
      return await attaching.run({ deadline: performance.now() + 30_000 }).then(
        () => 'done',
        (error: unknown) => error,
      );
    } finally {
      await connection.close();
    }
  }

  test('into a guest that may lock too little memory is refused, with what it needs', async () => {
    // The guest's memory once, and 1 GiB.
    expect(await attach('limited')).toMatchObject({
      code: 'MEMORY_LOCK_TOO_LOW',
      outcome: 'unchanged',
      message: expect.stringContaining(`${2 * 2 ** 30}`),
    });
  });

  test('into a guest without a free port is refused', async () => {
    expect(await attach('full')).toMatchObject({
      code: 'GUEST_SLOT_MISSING',
      outcome: 'unchanged',
    });
  });

  test('of what is there is done', async () => {
    expect(await attach('given')).toBe('done');
  });

  test.each([
    ['MAC', { mac: '02:00:00:00:be:ee' }],
    ['char device', { charDevice: { path: '/dev/vhost-vdpa-8', major: 508, minor: 8 } }],
    ['queues', { queuePairs: 1 }],
    ['MTU', { mtu: null }],
  ])('of what is there with another %s is refused', async (_, more) => {
    expect(await attach('given', more)).toMatchObject({ code: 'INTERFACE_CONFLICT' });
  });

  test('of a char device that is not there touches nothing', async () => {
    expect(await attach('roomy')).toMatchObject({
      code: 'DEVICE_NOT_FOUND',
      outcome: 'unchanged',
      step: 'see that the char device is free',
    });
  });
});
