import type { HostOptions } from '../host/host-options.js';
import type { Logger } from '../logger.js';
import { VdpaHost } from '../vdpa-host.js';
import type { ClaimDesk } from './claim-desk.js';
import type { Config } from './config.js';
import { openDesk } from './open-desk.js';

/**
 * Whoever keeps the claims of a configuration: an agent, or this process.
 *
 * @throws {VdpaError} those of `openDesk` and of `VdpaHost.open`
 */
export async function configuredDesk(
  config: Config,
  options: HostOptions,
  signal: AbortSignal | undefined,
): Promise<ClaimDesk & AsyncDisposable> {
  return await openDesk(config.store, () => openConfigured(config, options, { follow: false }), {
    signal,
  });
}

/** The host of a configuration, with its store. @throws {VdpaError} those of `VdpaHost.open` */
export async function openConfigured(
  { deviceSpec, store, reportInPlacement, allowSoftwareDevices, retypeGraceMs }: Config,
  options: HostOptions,
  { follow, logger }: { follow: boolean; logger?: Logger },
): Promise<VdpaHost> {
  return await VdpaHost.open({
    ...options,
    deviceSpec,
    store,
    reportInPlacement,
    allowSoftwareDevices,
    retypeGraceMs,
    follow,
    ...(logger !== undefined && { logger }),
  });
}
