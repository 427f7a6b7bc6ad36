// @ts-check
// What a tracker is told in the benchmarks: PFs of 250 VFs with a vDPA device each.

/** @import { DeviceRequest, ReportedDevice } from '../src/index.js' */

const vfsOfPf = 250;

/** @param {number} count of vDPA devices */
export function reportOf(count) {
  /** @type {ReportedDevice[]} */
  const report = [];
  for (let pf = 0; pf * vfsOfPf < count; pf++) {
    const bus = (pf + 1).toString(16).padStart(2, '0');
    const address = `0000:${bus}:00.0`;
    report.push(device(address, 'type-PF', '101d', null));
    for (let vf = 0; vf < Math.min(vfsOfPf, count - pf * vfsOfPf); vf++) {
      const number = vf + 1;
      const slot = (number >> 3).toString(16).padStart(2, '0');
      report.push(device(`0000:${bus}:${slot}.${number & 7}`, 'vdpa', '101e', address));
    }
  }
  return report;
}

/**
 * @param {string} address
 * @param {ReportedDevice['type']} type
 * @param {string} productId
 * @param {string | null} parent
 */
function device(address, type, productId, parent) {
  return /** @type {ReportedDevice} */ (
    /** @type {unknown} */ ({
      id: `pci/${address}`,
      type,
      address,
      vendorId: '15b3',
      productId,
      numaNode: 0,
      parentAddress: parent,
      extra: {},
      vdpa: type === 'vdpa' ? { name: `vdpa-${address}`, charDevice: '/dev/vhost-vdpa-0' } : null,
      reasons: [],
    })
  );
}

let requests = 0;

/** One vDPA device of the network that `spec` tags. */
export const request = () =>
  requestFor({ dev_type: 'vdpa', physical_network: 'physnet1', remote_managed: 'False' });

/** Any vDPA device, for a port. */
export const portRequest = () => ({
  ...requestFor({ dev_type: 'vdpa' }),
  portId: /** @type {DeviceRequest['portId']} */ ('port'),
});

/** @param {DeviceRequest['spec'][number]} wanted */
function requestFor(wanted) {
  requests += 1;
  return /** @type {DeviceRequest} */ (
    /** @type {unknown} */ ({
      requestId: `request-${requests}`,
      count: 1,
      spec: [wanted],
      numaPolicy: null,
      alias: null,
      portId: null,
    })
  );
}

export const spec = [{ vendor_id: '15b3', physical_network: 'physnet1' }];
