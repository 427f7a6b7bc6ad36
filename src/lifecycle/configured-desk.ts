import type { HostOptions } from '../host/host-options.js';
import type { Logger } from '../logger.js';
import { VdpaHost } from '../vdpa-host.js';
import type { ClaimDesk } from './claim-desk.js';
import type { Config } from './config.js';
import type { GuestDesk } from './guest-desk.js';
import { GuestDrivers } from './guest-drivers.js';
import { HostGuests } from './host-guests.js';
import { openDesk } from './open-desk.js';
import { OwnerClient } from './owner-client.js';

/** Whom a command asks. */
export interface ConfiguredDesk extends AsyncDisposable {
  readonly claims: ClaimDesk;
  readonly guests: GuestDesk;
}

/**
 * Whoever keeps the claims of a configuration: an agent, or this process.
 *
 * @throws {VdpaError} those of `openDesk` and of `VdpaHost.open`
 */
export async function configuredDesk(
  config: Config,
  options: HostOptions,
  signal: AbortSignal | undefined,
): Promise<ConfiguredDesk> {
  const openLocal = () => openConfigured(config, options, { follow: false });
  const claims = await openDesk(config.store, openLocal, { signal });
  if (claims instanceof OwnerClient) {
    return { claims, guests: claims, [Symbol.asyncDispose]: () => claims.close() };
  }
  const drivers = new GuestDrivers(config.guests);
  return {
    claims,
    guests: new HostGuests(claims, drivers),
    [Symbol.asyncDispose]: async () => {
      await drivers.close();
      await claims.close();
    },
  };
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
