import type { HostOptions } from '../host/host-options.js';
import type { Logger } from '../logger.js';
import { VdpaHost } from '../vdpa-host.js';
import type { ClaimDesk } from './claim-desk.js';
import type { Config } from './config.js';
import type { GuestDesk } from './guest-desk.js';
import type { GuestDrivers } from './guest-drivers.js';
import { openDesk } from './open-desk.js';
import { OwnerClient } from './owner-client.js';

/** Whom a command asks. */
export interface ConfiguredDesk extends AsyncDisposable {
  readonly claims: ClaimDesk;
  /** What drives them is loaded when it is first asked for. */
  guests(): Promise<GuestDesk>;
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
    return { claims, guests: async () => claims, [Symbol.asyncDispose]: () => claims.close() };
  }
  let drivers: GuestDrivers | null = null;
  return {
    claims,
    async guests() {
      const { GuestDrivers } = await import('./guest-drivers.js');
      const { HostGuests } = await import('./host-guests.js');
      drivers ??= new GuestDrivers(config.guests);
      return new HostGuests(claims, drivers);
    },
    async [Symbol.asyncDispose]() {
      await drivers?.close();
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
