import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type Attributes, attributes, dump, genericMessage, message } from './netlink-bytes.js';

const family = 0x1c;
const getFamilyReply = 1;
const newLink = 16;

export interface CapturedPf {
  readonly address: string;
  readonly domain?: string;
  readonly totalVfs: number;
  readonly numVfs: number;
  readonly offset?: number;
  readonly stride?: number;
  readonly numaNode?: number;
  readonly iommuGroup?: number;
  readonly netdev?: string;
  readonly representors?: boolean;
}

/**
 * A captured host in a temporary directory: the parts of sysfs, /dev, /proc and netlink that the
 * inventory reads, in the form in which Linux 6.12 has them. Real files and links, made by hand to
 * show what the lab's kernel has not: NUMA nodes, IOMMU groups, scalable functions, odd machines.
 */
export class CapturedHost implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'vdpa-host-captured-'));
  readonly #management: Attributes[] = [];
  readonly #devices: Attributes[] = [];
  readonly #links: Buffer[] = [];
  #nextMinor = 0;
  #nextIfindex = 2;

  constructor({ maxAttribute = 37 }: { readonly maxAttribute?: number } = {}) {
    this.file('proc/sys/kernel/osrelease', '6.12.0-test\n');
    this.file('proc/devices', 'Character devices:\n250 vhost-vdpa\n\nBlock devices:\n');
    this.file('proc/self/status', 'CapEff:\t000001ffffffffff\n');
    this.file('sys/kernel/uevent_seqnum', '4711\n');
    this.file('sys/bus/vdpa/drivers_autoprobe', '0\n');
    this.directory('sys/bus/vdpa/devices');
    this.directory('sys/bus/vdpa/drivers/vhost_vdpa');
    this.directory('sys/bus/vdpa/drivers/virtio_vdpa');
    this.directory('sys/bus/pci/devices');
    this.directory('sys/dev/char');
    this.directory('dev');
    const operations = attributes(
      [2, 3, 4, 5, 6, 7, 8].map((command, index) => [
        index + 1,
        { bytes: attributes([[1, { u32: command }]]) },
      ]),
    );
    this.file(
      'netlink/getfamily.bin',
      genericMessage(0x10, getFamilyReply, [
        [2, { text: 'vdpa' }],
        [1, { u16: family }],
        [3, { u32: 1 }],
        [4, { u32: 0 }],
        [5, { u32: maxAttribute }],
        [6, { bytes: operations }],
      ]),
    );
    this.#writeDumps();
  }

  file(path: string, content: string | Buffer): void {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    writeFileSync(full, content);
  }

  directory(path: string): void {
    mkdirSync(join(this.root, path), { recursive: true });
  }

  /** A relative link, as sysfs has them. Both paths are below the root. */
  link(path: string, target: string): void {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    symlinkSync(relative(dirname(full), join(this.root, target)), full);
  }

  /** A PF below its own root port, its VFs beside it. */
  pf(pf: CapturedPf): void {
    const { address, totalVfs, numVfs, offset = 1, stride = 1, numaNode, iommuGroup } = pf;
    const directory = this.#function(address, '101d', 'labnic', numaNode, iommuGroup);
    this.file(`${directory}/sriov_totalvfs`, `${totalVfs}\n`);
    this.file(`${directory}/sriov_numvfs`, `${numVfs}\n`);
    this.file(`${directory}/sriov_offset`, `${offset}\n`);
    this.file(`${directory}/sriov_stride`, `${stride}\n`);
    this.file(`${directory}/sriov_vf_device`, '101e\n');
    const port = pf.netdev ?? `eth${this.#nextIfindex}`;
    this.netdev(port, address, pf.representors ? { switchId: 'a1b2', portName: 'p0' } : {});
    for (let index = 0; index < numVfs; index++) {
      const vf = this.vfAddress(address, offset + index * stride);
      const group = iommuGroup === undefined ? undefined : iommuGroup + 1 + index;
      const vfDirectory = this.#function(vf, '101e', 'labnic_vf', numaNode, group);
      this.link(`${vfDirectory}/physfn`, directory);
      this.link(`${directory}/virtfn${index}`, vfDirectory);
      if (pf.representors) {
        this.netdev(`${port}v${index}`, address, {
          switchId: 'a1b2',
          portName: `pf${address.at(-1)}vf${index}`,
        });
      }
      this.management('pci', vf);
    }
  }

  /** Address at a distance in routing ids, carrying into device and bus. */
  vfAddress(pf: string, distance: number): string {
    const [domain = '', bus = '', rest = ''] = pf.split(':');
    const [device = '', fn = ''] = rest.split('.');
    const id =
      (Number.parseInt(bus, 16) << 8) + (Number.parseInt(device, 16) << 3) + Number(fn) + distance;
    const hex = (value: number): string => value.toString(16).padStart(2, '0');
    return `${domain}:${hex(id >> 8)}:${hex((id >> 3) & 31)}.${id & 7}`;
  }

  management(bus: string, name: string, classes = 2n, features = 0x3_0000_8020n): void {
    this.#management.push([
      ...(bus === '' ? [] : [[1, { text: bus }] as const]),
      [2, { text: name }],
      [3, { u64: classes }],
      [15, { u32: 65 }],
      [16, { u64: features }],
    ]);
    this.#writeDumps();
  }

  /** A vDPA device; `parentDirectory` is below sys/devices, empty for software. */
  vdpa(
    name: string,
    parentDirectory: string,
    options: {
      readonly managementBus?: string;
      readonly managementName?: string;
      readonly virtioId?: number;
      readonly driver?: 'vhost_vdpa' | 'virtio_vdpa' | null;
      readonly node?: boolean;
      readonly managed?: boolean;
    } = {},
  ): void {
    const { driver = 'vhost_vdpa', node = true, managed = true, virtioId = 1 } = options;
    const directory = `sys/devices/${parentDirectory === '' ? '' : `${parentDirectory}/`}${name}`;
    this.directory(directory);
    this.link(`sys/bus/vdpa/devices/${name}`, directory);
    if (driver !== null) this.link(`${directory}/driver`, `sys/bus/vdpa/drivers/${driver}`);
    if (driver === 'vhost_vdpa') {
      const minor = this.#nextMinor++;
      this.file(`${directory}/vhost-vdpa-${minor}/dev`, `250:${minor}\n`);
      this.link(`sys/dev/char/250:${minor}`, `${directory}/vhost-vdpa-${minor}`);
      if (node) this.file(`dev/vhost-vdpa-${minor}`, '');
    }
    if (!managed) return;
    const bus = options.managementBus ?? (parentDirectory === '' ? '' : 'pci');
    this.#devices.push([
      ...(bus === '' ? [] : [[1, { text: bus }] as const]),
      [2, { text: options.managementName ?? parentDirectory.split('/').at(-1) ?? '' }],
      [4, { text: name }],
      [5, { u32: virtioId }],
      [6, { u32: 0x15b3 }],
      [7, { u32: 9 }],
      [8, { u16: 256 }],
      [9, { u16: 1 }],
    ]);
    this.#writeDumps();
  }

  /** Where a PCI function lies below sys/devices. */
  pciPath(address: string): string {
    const domain = address.slice(0, address.indexOf(':'));
    return `pci${domain}:00/${domain}:00:1c.0/${address}`;
  }

  netdev(
    name: string,
    pciAddress: string,
    { switchId, portName }: { readonly switchId?: string; readonly portName?: string } = {},
  ): void {
    const ifindex = this.#nextIfindex++;
    const header = Buffer.alloc(16);
    header.writeInt32LE(ifindex, 4);
    const list: Attributes = [
      [3, { text: name }],
      [1, { bytes: Buffer.from([2, 0, 0, 0, ifindex >> 8, ifindex & 255]) }],
      ...(switchId === undefined ? [] : [[36, { bytes: Buffer.from(switchId, 'hex') }] as const]),
      ...(portName === undefined ? [] : [[38, { text: portName }] as const]),
      [56, { text: pciAddress }],
      [57, { text: 'pci' }],
    ];
    this.#links.push(message(newLink, 2, Buffer.concat([header, attributes(list)])));
    this.link(`sys/class/net/${name}`, `sys/devices/${this.pciPath(pciAddress)}/net/${name}`);
    this.#writeDumps();
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** A PCI function's directory and what it is listed in. */
  #function(
    address: string,
    deviceId: string,
    driver: string,
    numaNode: number | undefined,
    iommuGroup: number | undefined,
  ): string {
    const directory = `sys/devices/${this.pciPath(address)}`;
    this.file(
      `${directory}/uevent`,
      `DRIVER=${driver}\nPCI_CLASS=20000\nPCI_ID=15B3:${deviceId.toUpperCase()}\n` +
        `PCI_SUBSYS_ID=15B3:0016\nPCI_SLOT_NAME=${address}\nMODALIAS=pci:v000015B3\n`,
    );
    this.file(`${directory}/revision`, '0x05\n');
    this.file(`${directory}/driver_override`, '(null)\n');
    if (numaNode !== undefined) this.file(`${directory}/numa_node`, `${numaNode}\n`);
    if (iommuGroup !== undefined) {
      this.link(`${directory}/iommu_group`, `sys/kernel/iommu_groups/${iommuGroup}`);
    }
    this.link(`${directory}/driver`, `sys/bus/pci/drivers/${driver}`);
    this.link(`sys/bus/pci/drivers/${driver}/${address}`, directory);
    this.link(`sys/bus/pci/devices/${address}`, directory);
    return directory;
  }

  #writeDumps(): void {
    this.file(
      'netlink/mgmtdev-dump.bin',
      dump(this.#management.map((list) => (flags) => genericMessage(family, 1, list, flags))),
    );
    this.file(
      'netlink/dev-dump.bin',
      dump(this.#devices.map((list) => (flags) => genericMessage(family, 3, list, flags))),
    );
    this.file(
      'netlink/link-dump.bin',
      Buffer.concat([...this.#links, message(3, 2, Buffer.alloc(4))]),
    );
  }
}
