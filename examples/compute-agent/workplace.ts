import type { VdpaHost } from 'vdpa-host';
import type { InstanceOperations } from 'vdpa-host/lifecycle';
import type { GuestPlaces } from './guest-places.js';
import type { Hypervisor } from './hypervisor.js';
import type { Instances } from './instances.js';
import type { Log } from './log.js';
import type { LoggedNetwork } from './network.js';

/** What everything on this host is done with. */
export interface Workplace {
  /** The host's, as neutron knows it. */
  readonly name: string;
  readonly host: VdpaHost;
  readonly operations: InstanceOperations;
  readonly places: GuestPlaces;
  readonly network: LoggedNetwork;
  readonly hypervisor: Hypervisor;
  readonly instances: Instances;
  readonly log: Log;
}
