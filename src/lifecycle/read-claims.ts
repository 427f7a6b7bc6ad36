import type { HostOptions } from '../host/host-options.js';
import type { Inventory } from '../host/inventory.js';
import { DeviceSpec } from '../policy/device-spec.js';
import { pciFactsOf } from '../policy/pci-facts.js';
import { auditLedger } from '../tracker/audit.js';
import type { InstanceId } from '../tracker/claim.js';
import { Ledger } from '../tracker/ledger.js';
import type { Operation } from '../tracker/operation.js';
import { poolSummaries } from '../tracker/pool-summary.js';
import { openStoreReader } from '../tracker/store-reader.js';
import { VdpaHost } from '../vdpa-host.js';
import type { ClaimDesk } from './claim-desk.js';
import type { Config } from './config.js';
import { unclaimedUses } from './host-audit.js';

/** What the store has. */
export interface ClaimReader extends Pick<ClaimDesk, 'pools' | 'records' | 'claims' | 'audit'> {
  /** What is being done with instances, or with one, in order of their ids. */
  operations(instance?: InstanceId): Promise<Operation[]>;
}

/**
 * What the store has, beside its owner or without one. Nothing is written, and nobody is asked.
 *
 * @throws {VdpaError} `DEVICE_SPEC_INVALID`, `STORE_NOT_FOUND` and the others of a store, those of
 *   `VdpaHost.inventory`
 */
export async function readClaims(
  { deviceSpec, reportInPlacement, store }: Config,
  options: HostOptions,
): Promise<ClaimReader> {
  const reader = openStoreReader(store);
  const { state } = (() => {
    try {
      return reader.read();
    } finally {
      reader.close();
    }
  })();
  const records = state.devices
    .map(({ value }) => value)
    .sort((a, b) => (a.device.id < b.device.id ? -1 : 1));
  const claims = state.claims.map(({ value }) => value).sort((a, b) => a.fence - b.fence);
  const operations = state.operations
    .map(({ value }) => value)
    .sort((a, b) => (a.instance < b.instance ? -1 : 1));
  // device_spec names interfaces and PFs, so what it says depends on the host.
  const withHost = async (): Promise<{ ledger: Ledger; inventory: Inventory }> => {
    await using host = await VdpaHost.open(options);
    const inventory = await host.inventory();
    const pci = pciFactsOf(inventory);
    const spec = DeviceSpec.parse(deviceSpec, { reportInPlacement, pci });
    return { ledger: new Ledger(spec, state), inventory };
  };
  return {
    async records() {
      return records;
    },
    async claims(instance) {
      return claims.filter((claim) => instance === undefined || claim.instance === instance);
    },
    async operations(instance) {
      return operations.filter((one) => instance === undefined || one.instance === instance);
    },
    async pools() {
      const { ledger } = await withHost();
      return poolSummaries(ledger);
    },
    async audit(living = null) {
      const { ledger, inventory } = await withHost();
      const uses = await unclaimedUses(inventory, (id) => ledger.record(id) ?? null);
      return [...auditLedger(ledger, living), ...uses];
    },
  };
}
