import type { HostOptions } from '../index.js';
import type { Config } from '../lifecycle/config.js';
import type { ConfiguredDesk } from '../lifecycle/configured-desk.js';
import type { ClaimReader } from '../lifecycle/read-claims.js';
import type { Logger } from '../logger.js';

export interface ServeOptions {
  readonly signal: AbortSignal | undefined;
  readonly logger: Logger;
  /** Told once others are answered. */
  ready(socket: string): void;
}

/** What the commands about claims use of the library. */
export interface ClaimServices {
  /** @param path null: where the environment or the default says */
  readConfig(path: string | null): Promise<Config>;
  /** Reads the store, beside its owner or without one. */
  readClaims(config: Config, host: HostOptions): Promise<ClaimReader>;
  /** Asks the owner of the store, or is it for as long as the command runs. */
  openDesk(
    config: Config,
    host: HostOptions,
    signal: AbortSignal | undefined,
  ): Promise<ConfiguredDesk>;
  /** As `vdpa-host agent`: until the signal, or something fails. */
  serve(config: Config, host: HostOptions, options: ServeOptions): Promise<void>;
}
