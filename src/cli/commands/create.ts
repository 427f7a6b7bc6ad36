import { featureBit } from '../../host/features.js';
import { isDeviceMac } from '../../host/mac-address.js';
import { mtuRange, queuePairsRange } from '../../host/net-limits.js';
import type { DeviceClass } from '../../index.js';
import type { Command, OptionValue } from '../command.js';
import { createDocument } from '../documents/change-documents.js';
import { UsageError } from '../usage-error.js';
import { type NumberRange, wholeNumber } from '../whole-number.js';

export const command: Command = {
  name: 'create',
  summary: 'a vDPA device, bound to vhost_vdpa; prints its char device',
  usage: 'create MGMTDEV',
  description: [
    'Creates a vDPA device on a management device (pci/0000:65:00.2, see tree), binds it to vhost_vdpa',
    'and prints its char device once it can be used. When a later step fails, the device is deleted',
    "again. What is not given is the driver's choice.",
  ].join('\n'),
  options: {
    name: {
      type: 'string',
      value: 'NAME',
      help: "default: the management device's own, for a VF its PCI address",
    },
    mac: { type: 'string', value: 'MAC', help: 'such as 02:00:00:00:00:01' },
    mtu: { type: 'string', value: 'BYTES', help: '68 to 65535' },
    'max-vqp': { type: 'string', value: 'N', help: 'queue pairs, 1 to 32768' },
    features: {
      type: 'string',
      value: 'LIST',
      help: 'features to offer: names with commas (MAC,MTU,VERSION_1), or a mask (0x300000028)',
    },
  },
  positionals: { min: 1, max: 1, what: 'one management device' },

  async run({ host, print, signal, positionals, values }) {
    const [managementDevice = ''] = positionals;
    const { name, mac, mtu, 'max-vqp': maxVqPairs, features } = values;
    if (mac !== undefined && !isDeviceMac(mac)) {
      throw new UsageError(
        `--mac wants a unicast address such as 02:00:00:00:00:01, not '${mac}'`,
        'create',
      );
    }
    // Checked before anything is opened.
    const numbers = {
      ...numberOf('mtu', mtu, mtuRange),
      ...numberOf('max-vqp', maxVqPairs, queuePairsRange),
    };
    const reader = await host();
    const asked = async (list: string): Promise<bigint> => {
      if (isMask(list)) return BigInt(list);
      const { managementDevices } = await reader.inventory({ signal });
      const parent = managementDevices.find(({ handle }) => handle === managementDevice);
      return maskOf(list, parent?.classes.includes('net') === false ? 'block' : 'net');
    };
    const request = {
      managementDevice,
      ...(typeof name === 'string' ? { name } : {}),
      ...(typeof mac === 'string' ? { mac } : {}),
      ...numbers,
      ...(typeof features === 'string' ? { features: await asked(features) } : {}),
    };
    const device = await named(() => reader.createDevice(request, { signal }));
    print({
      document: () => createDocument(device),
      lines: () => [device.charDevice.path],
    });
    return 0;
  },
};

/** What the library calls a programmer's mistake is one of the command line here. */
async function named<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof TypeError) {
      throw new UsageError(error.message.replace(/^createDevice: /, ''), 'create');
    }
    throw error;
  }
}

const keys = { mtu: 'mtu', 'max-vqp': 'maxVqPairs' } as const;

function numberOf(option: keyof typeof keys, text: OptionValue, range: NumberRange) {
  if (typeof text !== 'string') return {};
  return { [keys[option]]: wholeNumber(option, text, range, 'create') };
}

/** @param deviceClass of which the names are */
function maskOf(list: string, deviceClass: DeviceClass): bigint {
  return list.split(',').reduce((mask, name) => {
    const bit = featureBit(name.trim().toUpperCase(), deviceClass);
    if (bit !== undefined) return mask | bit;
    throw new UsageError(
      `--features: no feature of class ${deviceClass} is called '${name}': expected names as 'show' has them, or a mask such as 0x300000028`,
      'create',
    );
  }, 0n);
}

function isMask(text: string): boolean {
  return /^0x[0-9a-f]{1,16}$/i.test(text);
}
