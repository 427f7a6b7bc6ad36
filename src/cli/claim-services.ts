import type { ClaimDesk } from '../lifecycle/claim-desk.js';
import type { Config } from '../lifecycle/config.js';
import type { HostOptions } from '../index.js';

/** What only reads. */
export type ClaimReader = Pick<ClaimDesk, 'pools' | 'records' | 'claims' | 'audit'>;

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
  ): Promise<ClaimDesk & AsyncDisposable>;
}
