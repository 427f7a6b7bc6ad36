import type { DeviceConfig, ManagementDevice } from '../../index.js';
import type { NumaBranch, OtherBranch, PfBranch, VfBranch } from '../host-tree.js';
import { hexOf } from './document.js';

// What the library returns goes into the documents as it is, key by key; only 64-bit numbers, which
// JSON has not, change their form. A new key therefore shows at once: the schemas refuse it.

export function managementDeviceJson({ features, ...device }: ManagementDevice) {
  return { ...device, features: features === null ? null : hexOf(features) };
}

export function deviceConfigJson({ features, negotiatedFeatures, block, ...config }: DeviceConfig) {
  return {
    ...config,
    features: features === null ? null : hexOf(features),
    negotiatedFeatures: negotiatedFeatures === null ? null : hexOf(negotiatedFeatures),
    block:
      block === null
        ? null
        : {
            ...block,
            // A count, so decimal; a string, since it has 64 bits.
            capacitySectors: block.capacitySectors?.toString() ?? null,
          },
  };
}

export function functionJson(branch: PfBranch | VfBranch | OtherBranch) {
  const { type, devices } = branch;
  switch (type) {
    case 'pf':
      return {
        type,
        ...branch.pf,
        devices,
        vfs: branch.vfs.map(vfJson),
        scalableFunctions: branch.scalableFunctions,
      };
    case 'vf':
      return vfJson(branch);
    default:
      return {
        type,
        ...branch.function,
        devices,
        scalableFunctions: branch.scalableFunctions,
      };
  }
}

function vfJson({ type, vf, devices }: VfBranch) {
  return { type, ...vf, devices };
}

export function numaNodeJson({ numaNode, pfs, others }: NumaBranch) {
  return { numaNode, pfs: pfs.map(functionJson), others: others.map(functionJson) };
}
