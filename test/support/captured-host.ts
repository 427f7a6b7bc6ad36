import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { type CapturedAbi, NetlinkRecording } from './netlink-recording.js';

export interface CapturedFunction {
  readonly deviceId?: string;
  readonly driver?: string | null;
  readonly numaNode?: number | undefined;
  readonly iommuGroup?: number | undefined;
}

export interface CapturedPf {
  readonly address: string;
  readonly totalVfs: number;
  readonly numVfs: number;
  readonly offset?: number;
  readonly stride?: number;
  readonly numaNode?: number;
  readonly iommuGroup?: number;
  readonly netdev?: string;
  readonly representors?: boolean;
}

export interface CapturedVdpa {
  readonly managementBus?: string;
  readonly managementName?: string;
  readonly virtioId?: number;
  readonly driver?: string | null;
  /** Without it a device that is bound to vhost_vdpa has no char device (yet). */
  readonly charDevice?: boolean;
  /** The lowest free one unless told. */
  readonly minor?: number;
  readonly node?: boolean;
  /** False for a device that the `vdpa` family does not list. */
  readonly managed?: boolean;
  readonly minVqSize?: number | null;
}

/**
 * A captured host in a temporary directory: the parts of sysfs, /dev, /proc and netlink that the
 * inventory reads, in the form in which Linux 6.12 has them. Real files and links, made by hand to
 * show what the lab's kernel has not: NUMA nodes, IOMMU groups, scalable functions, odd machines.
 */
export class CapturedHost implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'vdpa-host-captured-'));
  readonly netlink: NetlinkRecording;
  readonly #vdpa = new Map<string, { readonly directory: string; readonly minor: number | null }>();
  #nextIfindex = 2;

  constructor(abi: CapturedAbi = {}) {
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
    this.netlink = new NetlinkRecording(this.root, abi);
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

  /** A link with exactly this text in it. */
  rawLink(path: string, text: string): void {
    const full = join(this.root, path);
    mkdirSync(dirname(full), { recursive: true });
    symlinkSync(text, full);
  }

  remove(path: string): void {
    rmSync(join(this.root, path), { recursive: true, force: true });
  }

  /** A PF below its own root port, its VFs beside it. */
  pf(pf: CapturedPf): void {
    const { address, totalVfs, numVfs, offset = 1, stride = 1, numaNode, iommuGroup } = pf;
    const directory = this.function(address, { numaNode, iommuGroup });
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
      const vfDirectory = this.function(vf, {
        deviceId: '101e',
        driver: 'labnic_vf',
        numaNode,
        iommuGroup: group,
      });
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

  /** A PCI function's directory below the root, and what the function is listed in. */
  function(address: string, options: CapturedFunction = {}): string {
    const { deviceId = '101d', driver = 'labnic', numaNode, iommuGroup } = options;
    const directory = `sys/devices/${this.pciPath(address)}`;
    this.file(
      `${directory}/uevent`,
      `${driver === null ? '' : `DRIVER=${driver}\n`}PCI_CLASS=20000\n` +
        `PCI_ID=15B3:${deviceId.toUpperCase()}\n` +
        `PCI_SUBSYS_ID=15B3:0016\nPCI_SLOT_NAME=${address}\nMODALIAS=pci:v000015B3\n`,
    );
    this.file(`${directory}/revision`, '0x05\n');
    this.file(`${directory}/driver_override`, '(null)\n');
    if (numaNode !== undefined) this.file(`${directory}/numa_node`, `${numaNode}\n`);
    if (iommuGroup !== undefined) {
      this.link(`${directory}/iommu_group`, `sys/kernel/iommu_groups/${iommuGroup}`);
    }
    if (driver !== null) {
      this.link(`${directory}/driver`, `sys/bus/pci/drivers/${driver}`);
      this.link(`sys/bus/pci/drivers/${driver}/${address}`, directory);
    }
    this.link(`sys/bus/pci/devices/${address}`, directory);
    return directory;
  }

  /** A scalable function of a PF; returns where it lies below sys/devices. */
  scalableFunction(pf: string, name: string, sfNumber: string): string {
    const path = `${this.pciPath(pf)}/${name}`;
    this.file(`sys/devices/${path}/sfnum`, sfNumber);
    this.link(`sys/bus/auxiliary/devices/${name}`, `sys/devices/${path}`);
    this.management('auxiliary', name);
    return path;
  }

  /** A management device; no features and queues as kernels before 5.17 have it. */
  management(
    bus: string,
    name: string,
    classes = 2n,
    features: bigint | null = 0x3_0000_8020n,
  ): void {
    this.netlink.management([
      ...(bus === '' ? [] : [[1, { text: bus }] as const]),
      [2, { text: name }],
      [3, { u64: classes }],
      ...(features === null ? [] : [[15, { u32: 65 }] as const, [16, { u64: features }] as const]),
    ]);
  }

  /** A vDPA device; `parentDirectory` is below sys/devices, empty for software. */
  vdpa(name: string, parentDirectory: string, options: CapturedVdpa = {}): void {
    const { driver = 'vhost_vdpa', node = true, managed = true, virtioId = 1 } = options;
    const { charDevice = true, minVqSize = 1 } = options;
    const directory = `sys/devices/${parentDirectory === '' ? '' : `${parentDirectory}/`}${name}`;
    this.directory(directory);
    this.link(`sys/bus/vdpa/devices/${name}`, directory);
    if (driver !== null) this.link(`${directory}/driver`, `sys/bus/vdpa/drivers/${driver}`);
    const minor = driver === 'vhost_vdpa' && charDevice ? this.#minor(options.minor) : null;
    if (minor !== null) {
      this.file(`${directory}/vhost-vdpa-${minor}/dev`, `250:${minor}\n`);
      this.link(`sys/dev/char/250:${minor}`, `${directory}/vhost-vdpa-${minor}`);
      if (node) this.file(`dev/vhost-vdpa-${minor}`, '');
    }
    this.#vdpa.set(name, { directory, minor });
    if (!managed) return;
    const bus = options.managementBus ?? (parentDirectory === '' ? '' : 'pci');
    this.netlink.device(name, [
      ...(bus === '' ? [] : [[1, { text: bus }] as const]),
      [2, { text: options.managementName ?? parentDirectory.split('/').at(-1) ?? '' }],
      [4, { text: name }],
      [5, { u32: virtioId }],
      [6, { u32: 0x15b3 }],
      [7, { u32: 9 }],
      [8, { u16: 256 }],
      ...(minVqSize === null ? [] : [[9, { u16: minVqSize }] as const]),
    ]);
  }

  /** `vdpa dev del`: its number is free from now on. */
  deleteVdpa(name: string): void {
    const device = this.#vdpa.get(name);
    if (device === undefined) throw new Error(`no vDPA device ${name} was made here`);
    this.#vdpa.delete(name);
    this.remove(device.directory);
    this.remove(`sys/bus/vdpa/devices/${name}`);
    this.remove(`sys/dev/char/250:${device.minor}`);
    this.remove(`dev/vhost-vdpa-${device.minor}`);
    this.netlink.forgetDevice(name);
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
    this.netlink.link(ifindex, [
      [3, { text: name }],
      [1, { bytes: Buffer.from([2, 0, 0, 0, ifindex >> 8, ifindex & 255]) }],
      ...(switchId === undefined ? [] : [[36, { bytes: Buffer.from(switchId, 'hex') }] as const]),
      ...(portName === undefined ? [] : [[38, { text: portName }] as const]),
      [56, { text: pciAddress }],
      [57, { text: 'pci' }],
    ]);
    this.link(`sys/class/net/${name}`, `sys/devices/${this.pciPath(pciAddress)}/net/${name}`);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #minor(wanted: number | undefined): number {
    if (wanted !== undefined) return wanted;
    const taken = new Set([...this.#vdpa.values()].map(({ minor }) => minor));
    let minor = 0;
    while (taken.has(minor)) minor++;
    return minor;
  }
}
