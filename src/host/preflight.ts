import { inTurns } from '../turns.js';
import type { CallOptions, Connection } from './connection.js';
import { deviceFindings } from './device-findings.js';
import type { Finding } from './finding.js';
import { guestSoftwareFindings } from './guest-software-findings.js';
import { kernelFindings } from './kernel-findings.js';
import { deniedNodes } from './machine-facts.js';
import { pciFindings } from './pci-findings.js';
import { processFindings } from './process-findings.js';

/**
 * Checks what vDPA needs of the machine: kernel, modules, family, IOMMU, privilege, nodes, and the
 * programs that run guests, which are asked for their version. Changes nothing; the order is that of
 * the cures.
 */
export async function preflight(
  connection: Connection,
  options?: CallOptions,
): Promise<readonly Finding[]> {
  const { live } = connection;
  const asked = live ? askedSoftware(connection, options?.signal) : connection.facts?.guestSoftware;
  // Files included, it is one call: the host stays open until the last of them has been read.
  const called = connection.call(
    'preflight',
    async (native, ms) => {
      const inventory = await connection.inventory(native, ms);
      const denied = live
        ? await inTurns(deniedNodes(inventory.devices, native))
        : connection.facts?.deniedNodes;
      const findings = [
        ...kernelFindings(native, inventory.abi !== null),
        ...pciFindings(inventory, native),
        ...processFindings(connection, native),
        ...deviceFindings(inventory.devices, denied),
      ];
      return { findings, denied };
    },
    options,
  );
  const [{ findings, denied }, software] = await Promise.all([called, asked]);
  options?.signal?.throwIfAborted();
  if (software === undefined || denied === undefined) return findings;
  connection.facts = { guestSoftware: software, deniedNodes: denied };
  return [...findings, ...guestSoftwareFindings(software)];
}

/**
 * Beside the call, whose time is the kernel's. Loaded when it is asked for: reading alone starts no
 * program.
 */
async function askedSoftware(connection: Connection, signal: AbortSignal | undefined) {
  const { guestSoftware } = await import('./guest-software.js');
  return await connection.beside(() => guestSoftware(signal));
}
