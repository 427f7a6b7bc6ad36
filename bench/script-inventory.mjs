// @ts-check
// How a careful script gathers what the library's inventory tells: `vdpa -j`, and sysfs by
// synchronous reads, each file once. What Linux says in one file (uevent: ids, class, driver) it
// reads from that one; what the PF knows of its VFs (address, index) it asks of the PF.
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { vdpaShow } from './vdpa-tool.mjs';

const pciDevices = '/sys/bus/pci/devices';
const vdpaDevices = '/sys/bus/vdpa/devices';
const interfaces = '/sys/class/net';

/** @typedef {{ name: string, ifindex: number, mac: string, physSwitchId: string | null, physPortName: string | null }} Interface */
/** @typedef {{ own: Interface[], representors: Map<number, Interface> }} Ports */

/** @param {string} path */
function read(path) {
  return readFileSync(path, 'utf8').trimEnd();
}

/** The text of a file that may be missing or refuse to be read. @param {string} path */
function readIfThere(path) {
  try {
    return read(path);
  } catch {
    return null;
  }
}

/** @param {string} path */
function lastOf(path) {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The ports of every PCI function that has any, by its address. */
function readPorts() {
  /** @type {Map<string, Ports>} */
  const ports = new Map();
  for (const name of readdirSync(interfaces)) {
    const path = readlinkSync(`${interfaces}/${name}`).split('/');
    const address = path.at(-3) ?? '';
    if (path.at(-2) !== 'net' || !/^[0-9a-f]+:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(address)) {
      continue;
    }
    const folder = `${interfaces}/${name}`;
    const port = {
      name,
      ifindex: Number(read(`${folder}/ifindex`)),
      mac: read(`${folder}/address`),
      physSwitchId: readIfThere(`${folder}/phys_switch_id`),
      physPortName: readIfThere(`${folder}/phys_port_name`),
    };
    let all = ports.get(address);
    if (all === undefined) {
      all = { own: [], representors: new Map() };
      ports.set(address, all);
    }
    const vf = /^pf\d+vf(\d+)$/.exec(port.physPortName ?? '')?.[1];
    if (vf === undefined) all.own.push(port);
    else all.representors.set(Number(vf), port);
  }
  return ports;
}

/**
 * @param {string} address
 * @param {Ports | undefined} ports
 * @param {boolean} hasNumaNodes
 */
function readFunction(address, ports, hasNumaNodes) {
  const folder = `${pciDevices}/${address}`;
  const uevent = Object.fromEntries(
    read(`${folder}/uevent`)
      .split('\n')
      .map((line) => line.split('=', 2)),
  );
  const [vendorId, deviceId] = uevent['PCI_ID'].toLowerCase().split(':');
  const [subsystemVendorId, subsystemDeviceId] = uevent['PCI_SUBSYS_ID'].toLowerCase().split(':');
  // A kernel without NUMA has the file of no function: its PF tells.
  const numaNode = hasNumaNodes ? Number(read(`${folder}/numa_node`)) : -1;
  return {
    address,
    vendorId,
    deviceId,
    subsystemVendorId,
    subsystemDeviceId,
    pciClass: uevent['PCI_CLASS'].toLowerCase().padStart(6, '0'),
    revision: Number(read(`${folder}/revision`)),
    driver: uevent['DRIVER'] ?? null,
    numaNode: numaNode < 0 ? null : numaNode,
    iommuGroup: existsSync(`${folder}/iommu_group`)
      ? Number(lastOf(readlinkSync(`${folder}/iommu_group`)))
      : null,
    netdevs: ports?.own ?? [],
  };
}

function readFunctions() {
  const ports = readPorts();
  const pfs = [];
  const vfs = [];
  const known = new Set();
  for (const address of readdirSync(pciDevices).sort()) {
    if (known.has(address)) continue;
    const folder = `${pciDevices}/${address}`;
    if (!existsSync(`${folder}/sriov_totalvfs`)) continue;
    const hasNumaNodes = existsSync(`${folder}/numa_node`);
    pfs.push({
      ...readFunction(address, ports.get(address), hasNumaNodes),
      totalVfs: Number(read(`${folder}/sriov_totalvfs`)),
      numVfs: Number(read(`${folder}/sriov_numvfs`)),
    });
    for (const entry of readdirSync(folder)) {
      if (!entry.startsWith('virtfn')) continue;
      const vf = lastOf(readlinkSync(`${folder}/${entry}`));
      const vfIndex = Number(entry.slice('virtfn'.length));
      known.add(vf);
      vfs.push({
        ...readFunction(vf, ports.get(vf), hasNumaNodes),
        pfAddress: address,
        vfIndex,
        representor: ports.get(address)?.representors.get(vfIndex) ?? null,
      });
    }
  }
  return { pfs, vfs };
}

function readManagementDevices() {
  return Object.entries(vdpaShow('mgmtdev')).map(([handle, told]) => ({
    handle,
    classes: told.supported_classes,
    maxVqs: told.max_supported_vqs,
    featureNames: told.dev_features,
  }));
}

function readDevices() {
  const family = vdpaShow('dev');
  const nodes = new Set(readdirSync('/dev'));
  return readdirSync(vdpaDevices).map((name) => {
    const folder = `${vdpaDevices}/${name}`;
    const parent = readlinkSync(folder).split('/').at(-2);
    const driver = existsSync(`${folder}/driver`) ? lastOf(readlinkSync(`${folder}/driver`)) : null;
    const node = readdirSync(folder).find((entry) => entry.startsWith('vhost-vdpa-'));
    const [major, minor] = node === undefined ? [] : read(`${folder}/${node}/dev`).split(':');
    const told = family[name];
    return {
      name,
      class: told.type === 'network' ? 'net' : told.type,
      vendorId: told.vendor_id.toString(16).padStart(4, '0'),
      maxVqs: told.max_vqs,
      maxVqSize: told.max_vq_size,
      managementDevice: told.mgmtdev,
      pciAddress: parent,
      driver,
      charDevice:
        node === undefined
          ? null
          : {
              path: `/dev/${node}`,
              major: Number(major),
              minor: Number(minor),
              nodeExists: nodes.has(node),
            },
    };
  });
}

/** @typedef {ReturnType<typeof scriptInventory>} ScriptInventory */

/** Everything, in no particular order. */
export function scriptInventory() {
  return {
    managementDevices: readManagementDevices(),
    ...readFunctions(),
    devices: readDevices(),
  };
}
