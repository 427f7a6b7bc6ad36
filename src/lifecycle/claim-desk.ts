import type { DeviceId } from '../host/device-id.js';
import type { ClaimArguments, ClaimSelection, ReleaseSelection } from '../tracker/arguments.js';
import type { TrackerFinding } from '../tracker/audit.js';
import type { Claim, InstanceId } from '../tracker/claim.js';
import type { DeviceRecord } from '../tracker/device-record.js';
import type { Living } from '../tracker/orphans.js';
import type { PoolSummary } from '../tracker/pool-summary.js';
import type { HostFinding } from './host-audit.js';

/**
 * What may be asked of whoever keeps a host's records: this process, or over a socket the one that
 * owns the store. Each is as the `Tracker`'s of the same name.
 */
export interface ClaimDesk {
  claim(wanted: ClaimArguments): Promise<Claim>;
  allocate(selection: ClaimSelection): Promise<Claim[]>;
  release(selection: ReleaseSelection): Promise<DeviceId[]>;
  supports(wanted: Pick<ClaimArguments, 'requests' | 'numaCells'>): Promise<boolean>;
  pools(): Promise<PoolSummary[]>;
  records(): Promise<DeviceRecord[]>;
  claims(instance?: InstanceId): Promise<Claim[]>;
  reconcile(living: Living): Promise<Claim[]>;
  /** As `VdpaHost.audit`. */
  audit(living?: Living | null): Promise<HostFinding[]>;
  heal(living?: Living | null): Promise<TrackerFinding[]>;
}
