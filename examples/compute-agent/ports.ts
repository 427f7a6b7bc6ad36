import type { DeviceRequest } from 'vdpa-host';
import { portRequests } from 'vdpa-host/policy';
import { z } from 'zod';

/** A neutron port, as neutron writes it; what else it has is not looked at. */
export const port = z.looseObject({
  id: z.string().min(1),
  network_id: z.string(),
  mac_address: z
    .string()
    .regex(/^[\da-f]{2}(:[\da-f]{2}){5}$/i, 'expected six bytes such as 52:54:00:00:00:01')
    .toLowerCase()
    .optional(),
  'binding:vnic_type': z.literal('vdpa'),
  'binding:profile': z.record(z.string(), z.unknown()).nullish(),
  numa_affinity_policy: z.string().nullish(),
});

const segment = {
  'provider:physical_network': z.string().nullish(),
  'provider:network_type': z.string().nullish(),
};

export const network = z.looseObject({
  id: z.string(),
  ...segment,
  segments: z.array(z.looseObject(segment)).nullish(),
});

export type Port = z.infer<typeof port>;
export type Network = z.infer<typeof network>;

/** What the ports need of the host, each under its own name. */
export function requestsOf(ports: readonly Port[], networks: readonly Network[]): DeviceRequest[] {
  return ports.flatMap((one) => [
    ...portRequests([one], networks, { newRequestId: () => one.id }).requests,
  ]);
}
