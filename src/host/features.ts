/**
 * Names of virtio feature bits, as the virtio specification has them without the `VIRTIO_NET_F_`,
 * `VIRTIO_BLK_F_` or `VIRTIO_F_` in front. Bits 24 to 41 belong to the transport whatever the class.
 */
const transport: Readonly<Record<number, string>> = {
  24: 'NOTIFY_ON_EMPTY',
  27: 'ANY_LAYOUT',
  28: 'RING_INDIRECT_DESC',
  29: 'RING_EVENT_IDX',
  32: 'VERSION_1',
  33: 'ACCESS_PLATFORM',
  34: 'RING_PACKED',
  35: 'IN_ORDER',
  36: 'ORDER_PLATFORM',
  37: 'SR_IOV',
  38: 'NOTIFICATION_DATA',
  39: 'NOTIF_CONFIG_DATA',
  40: 'RING_RESET',
  41: 'ADMIN_VQ',
};

const net: Readonly<Record<number, string>> = {
  0: 'CSUM',
  1: 'GUEST_CSUM',
  2: 'CTRL_GUEST_OFFLOADS',
  3: 'MTU',
  5: 'MAC',
  6: 'GSO',
  7: 'GUEST_TSO4',
  8: 'GUEST_TSO6',
  9: 'GUEST_ECN',
  10: 'GUEST_UFO',
  11: 'HOST_TSO4',
  12: 'HOST_TSO6',
  13: 'HOST_ECN',
  14: 'HOST_UFO',
  15: 'MRG_RXBUF',
  16: 'STATUS',
  17: 'CTRL_VQ',
  18: 'CTRL_RX',
  19: 'CTRL_VLAN',
  20: 'CTRL_RX_EXTRA',
  21: 'GUEST_ANNOUNCE',
  22: 'MQ',
  23: 'CTRL_MAC_ADDR',
  50: 'DEVICE_STATS',
  52: 'VQ_NOTF_COAL',
  53: 'NOTF_COAL',
  54: 'GUEST_USO4',
  55: 'GUEST_USO6',
  56: 'HOST_USO',
  57: 'HASH_REPORT',
  59: 'GUEST_HDRLEN',
  60: 'RSS',
  61: 'RSC_EXT',
  62: 'STANDBY',
  63: 'SPEED_DUPLEX',
};

const block: Readonly<Record<number, string>> = {
  0: 'BARRIER',
  1: 'SIZE_MAX',
  2: 'SEG_MAX',
  4: 'GEOMETRY',
  5: 'RO',
  6: 'BLK_SIZE',
  7: 'SCSI',
  9: 'FLUSH',
  10: 'TOPOLOGY',
  11: 'CONFIG_WCE',
  12: 'MQ',
  13: 'DISCARD',
  14: 'WRITE_ZEROES',
  15: 'LIFETIME',
  16: 'SECURE_ERASE',
  17: 'ZONED',
};

/** What a vDPA device is to a guest. Other virtio ids than network and block keep their number. */
export type DeviceClass = 'net' | 'block' | `virtio-${number}`;

/** The class of a virtio device id (1 network, 2 block; virtio specification, section 5). */
export function deviceClass(virtioId: number): DeviceClass {
  return virtioId === 1 ? 'net' : virtioId === 2 ? 'block' : `virtio-${virtioId}`;
}

/** The classes of a management device's bit mask: bit n stands for virtio device id n. */
export function deviceClasses(mask: bigint): DeviceClass[] {
  return setBits(mask).map(deviceClass);
}

/**
 * Names every set bit, lowest first; a bit without a name in that class is `BIT_40`.
 *
 * @param deviceClass null when the class is unknown or several are possible: then only the
 *   transport's bits have names
 */
export function featureNames(features: bigint, deviceClass: DeviceClass | null): string[] {
  const own = ownNames(deviceClass);
  return setBits(features).map((bit) => own[bit] ?? transport[bit] ?? `BIT_${bit}`);
}

/** The reverse of `featureNames`: undefined for a text that it never gives in that class. */
export function featureBit(name: string, deviceClass: DeviceClass | null): bigint | undefined {
  const all = featureNames(2n ** 64n - 1n, deviceClass);
  const bit = all.indexOf(name);
  return bit === -1 ? undefined : 1n << BigInt(bit);
}

function ownNames(deviceClass: DeviceClass | null): Readonly<Record<number, string>> {
  return deviceClass === 'net' ? net : deviceClass === 'block' ? block : {};
}

function setBits(mask: bigint): number[] {
  const bits: number[] = [];
  for (let bit = 0, rest = BigInt.asUintN(64, mask); rest !== 0n; bit++, rest >>= 1n) {
    if ((rest & 1n) !== 0n) bits.push(bit);
  }
  return bits;
}
