import type { BindingProfile, InstanceId } from 'vdpa-host';
import type { PreparedPort } from 'vdpa-host/lifecycle';
import type { Workplace } from './workplace.js';

/** What is to be written to neutron of one port: its binding on one host. */
export interface PortBinding {
  readonly port: string;
  /** `binding:host_id`. */
  readonly host: string;
  /** `binding:profile`. */
  readonly profile: BindingProfile;
  /** Whether it is the one that counts: a migration's is activated once the guest has arrived. */
  readonly active: boolean;
}

/** Where a real agent writes to neutron, this one tells what. */
export function bind(
  { name: host, log }: Pick<Workplace, 'name' | 'log'>,
  instance: InstanceId,
  ports: readonly PreparedPort[],
  active: boolean,
): PortBinding[] {
  const bindings = ports.map(({ port, profile }) => ({ port, host, profile, active }));
  log.info({ instance, bindings }, 'bindings for neutron');
  return bindings;
}
