import type { InstanceId } from '../tracker/claim.js';
import type { InterfaceName } from './interface-name.js';

/** What a driver tells of the guests that it has to do with. */
export type GuestEvent =
  /** The guest has let go of it, whoever had asked. */
  | { readonly type: 'interface-gone'; readonly guest: InstanceId; readonly name: InterfaceName }
  /** The guest was asked to let go, and said no. */
  | { readonly type: 'unplug-refused'; readonly guest: InstanceId; readonly name: InterfaceName }
  /** The guest has ended, or its hypervisor can no longer be reached. */
  | { readonly type: 'guest-gone'; readonly guest: InstanceId }
  /** Something may have been missed: look at the interfaces again. */
  | { readonly type: 'resync'; readonly reason: 'reconnected' | 'consumer-slow' };
