import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { HostOptions } from '../host/host-options.js';
import type { Logger } from '../logger.js';
import type { ClaimId } from '../tracker/claim.js';
import type { Config } from './config.js';
import { openConfigured } from './configured-desk.js';
import { GuestDrivers } from './guest-drivers.js';
import { HostGuests } from './host-guests.js';
import { ownerSocketPath } from './open-desk.js';
import { OwnerSocket } from './owner-socket.js';
import type { RecoveredClaim } from './recover-claims.js';
import { Supervisor } from './supervisor.js';

export interface AgentOptions {
  /** Ends it: what is under way is finished first. Never: it runs until the process ends. */
  readonly signal: AbortSignal | undefined;
  readonly logger: Logger;
  /** Told once others are answered on the socket. */
  ready(socket: string): void;
}

/**
 * Owns the store of a configuration, follows the host, and answers others on the store's socket. Tells
 * the supervisor of the environment. Resolves when it was ended and has let go of everything.
 *
 * @throws {VdpaError} those of `VdpaHost.open`, `OWNER_SOCKET_FAILED`
 */
export async function serve(
  config: Config,
  options: HostOptions,
  { signal, logger, ready }: AgentOptions,
): Promise<void> {
  using supervisor = new Supervisor();
  supervisor.status('opening the store and reading the host');
  const host = await openConfigured(config, options, { follow: true, logger });
  try {
    await using drivers = new GuestDrivers(config.guests, logger);
    const guests = new HostGuests(host, drivers);
    const socket = await OwnerSocket.listen(ownerSocketPath(config.store), host, guests);
    const closing = new AbortController();
    const recovered = recoverGuests(guests, closing.signal, logger);
    try {
      const status = (): unknown => supervisor.status(`${host.tracker.claims().length} claims`);
      using soon = new Soon(status);
      host.tracker.on('claim', () => soon.due());
      status();
      supervisor.ready();
      ready(socket.path);
      await ended(signal);
      supervisor.stopping();
    } finally {
      closing.abort();
      await recovered;
      await socket.close();
    }
  } finally {
    await host.close();
  }
}

/** Before guests that could not be asked are asked again; then twice as long, up to the longest. */
const firstAgainMs = 5_000;
const longestAgainMs = 60_000;

/** A guest that does not answer keeps nobody else waiting: it is asked beside the work. */
async function recoverGuests(
  guests: Pick<HostGuests, 'recover'>,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  try {
    let claims: ClaimId[] | undefined;
    for (let waitMs = firstAgainMs; ; waitMs = Math.min(2 * waitMs, longestAgainMs)) {
      const recovered = await guests.recover({ claims, signal });
      for (const one of recovered) tell(one, claims !== undefined, logger);
      claims = recovered.flatMap(({ claim, error }) => (error === null ? [] : [claim]));
      if (claims.length === 0) return;
      await sleep(waitMs, undefined, { signal, ref: false });
    }
  } catch (error) {
    if (!signal.aborted) logger.error({ err: error }, 'the guests could not be asked');
  }
}

function tell(
  { claim, guest, state, error }: RecoveredClaim,
  again: boolean,
  logger: Logger,
): void {
  const found = { claim, guest, state, ...(error !== null && { err: error }) };
  if (error === null && state !== 'unknown') logger.info(found, 'claim and guest: together');
  else if (!again) logger.warn(found, 'claim and guest: it could not be found out');
}

/** In a storm of claims the supervisor is told once a second. */
const statusMs = 1000;

/** Work that is done once for all that was asked for in the second before. */
class Soon implements Disposable {
  readonly #work: () => void;
  #timeout: NodeJS.Timeout | null = null;

  constructor(work: () => void) {
    this.#work = work;
  }

  due(): void {
    this.#timeout ??= setTimeout(() => {
      this.#timeout = null;
      this.#work();
    }, statusMs).unref();
  }

  [Symbol.dispose](): void {
    if (this.#timeout !== null) clearTimeout(this.#timeout);
  }
}

/** Keeps the process alive meanwhile. */
async function ended(signal: AbortSignal | undefined): Promise<void> {
  const alive = setInterval(() => {}, 2 ** 30);
  try {
    if (signal === undefined) await new Promise(() => {});
    else if (!signal.aborted) await once(signal, 'abort');
  } finally {
    clearInterval(alive);
  }
}
