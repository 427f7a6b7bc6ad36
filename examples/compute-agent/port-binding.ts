import type { InstanceId } from 'vdpa-host';
import type { PreparedPort } from 'vdpa-host/lifecycle';
import type { Workplace } from './workplace.js';

/** Where a real agent writes to neutron, this one tells what. */
export function bind(
  { log }: Pick<Workplace, 'log'>,
  instance: InstanceId,
  bindings: readonly PreparedPort[],
): void {
  log.info({ instance, bindings }, 'bindings for neutron');
}
