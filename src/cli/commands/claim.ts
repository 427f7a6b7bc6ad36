import { randomUUID } from 'node:crypto';
import { isDeviceMac } from '../../host/mac-address.js';
import type { DeviceRequest, PortId, RequestId } from '../../policy/device-request.js';
import { type NumaPolicy, numaPolicies } from '../../policy/numa-policy.js';
import type { ClaimId, InstanceId } from '../../tracker/claim.js';
import { configOption, neededText, textOf } from '../claim-options.js';
import type { Command, OptionValue } from '../command.js';
import { claimDocument } from '../documents/claim-documents.js';
import { UsageError } from '../usage-error.js';
import { claimLines } from '../view/claims-view.js';
import { wholeNumber } from '../whole-number.js';

/** As many VFs as a PF can have. */
const mostDevices = 0xffff;

export const command: Command = {
  name: 'claim',
  summary: 'take vDPA devices for an instance',
  usage: 'claim --instance ID ...',
  description: [
    'Takes vDPA devices of a physical network for an instance, all or none, and prints their char',
    'devices. Asks the agent when one runs; otherwise it opens the store itself. Under --id it may be',
    'repeated with the same arguments: the answer is the same claim. Exit status 1 when there are too',
    'few devices, with the reason.',
  ].join('\n'),
  options: {
    ...configOption,
    instance: { type: 'string', value: 'ID', help: 'whom they are for' },
    physnet: { type: 'string', value: 'NET', help: 'the physical network they must reach' },
    tunnelled: { type: 'boolean', help: 'instead of --physnet: devices without physical network' },
    count: { type: 'string', value: 'N', help: `how many (1 to ${mostDevices}, default 1)` },
    port: { type: 'string', value: 'ID', help: 'the neutron port that it is for' },
    mac: { type: 'string', value: 'MAC', help: "the port's MAC" },
    numa: { type: 'string', value: 'CELLS', help: "the guest's NUMA nodes: 0 or 0,1" },
    'numa-policy': {
      type: 'string',
      value: 'POLICY',
      help: "required, socket, preferred or legacy (default: the configuration's)",
    },
    id: { type: 'string', value: 'CLAIM', help: 'names the claim (default: a new UUID)' },
  },
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ desk, config, print, terminal, signal, values }) {
    const instance = neededText(values, 'instance', 'claim') as InstanceId;
    const id = textOf(values, 'id', 'claim');
    const numaCells = cellsOf(textOf(values, 'numa', 'claim'));
    const request = requestOf(values);
    // After the command line has been read: what is wrong there is wrong on any machine.
    const numaPolicy = request.numaPolicy ?? (await config()).numa.policy;
    const open = await desk();
    const claim = await open.claim({
      // Named here: whoever is interrupted can ask again, or give it back.
      id: (id ?? randomUUID()) as ClaimId,
      instance,
      numaCells,
      // Of a repeated claim the request must be the same.
      requests: [
        { ...request, numaPolicy, requestId: (id ?? randomUUID()) as string as RequestId },
      ],
      signal,
    });
    const records = await open.records();
    print({
      document: () => claimDocument(claim, records),
      lines: () => claimLines(claim, records, terminal),
    });
    return 0;
  },
};

/** Its NUMA policy is null when none is given. */
function requestOf(
  values: Readonly<Record<string, OptionValue>>,
): Omit<DeviceRequest, 'requestId'> {
  const physnet = textOf(values, 'physnet', 'claim');
  if ((physnet === null) === (values['tunnelled'] !== true)) {
    throw new UsageError('claim wants either --physnet NET or --tunnelled', 'claim');
  }
  const told = textOf(values, 'count', 'claim');
  const count =
    told === null ? 1 : wholeNumber('count', told, { least: 1, most: mostDevices }, 'claim');
  const port = textOf(values, 'port', 'claim');
  const mac = textOf(values, 'mac', 'claim')?.toLowerCase() ?? null;
  if (mac !== null && !isDeviceMac(mac)) throw new UsageError(`--mac: '${mac}' is no MAC`, 'claim');
  if (count > 1 && (port !== null || mac !== null)) {
    throw new UsageError('a port has one device: --port and --mac go with --count 1', 'claim');
  }
  const policy = textOf(values, 'numa-policy', 'claim');
  if (policy !== null && !isNumaPolicy(policy)) {
    throw new UsageError(`--numa-policy is ${numaPolicies.join(', ')}, not '${policy}'`, 'claim');
  }
  return {
    count,
    spec: [{ dev_type: 'vdpa', physical_network: physnet, remote_managed: 'False' }],
    numaPolicy: policy,
    alias: null,
    portId: port as PortId | null,
    ...(mac !== null && { mac }),
  };
}

function isNumaPolicy(text: string): text is NumaPolicy {
  return numaPolicies.some((policy) => policy === text);
}

function cellsOf(text: string | null): number[] | null {
  if (text === null) return null;
  const cells = text.split(',');
  if (!cells.every((cell) => /^\d{1,4}$/.test(cell))) {
    throw new UsageError(`--numa wants numbers such as 0,1, not '${text}'`, 'claim');
  }
  return [...new Set(cells.map(Number))];
}
