import { once } from 'node:events';
import type { HostOptions } from '../host/host-options.js';
import type { Logger } from '../logger.js';
import type { Config } from './config.js';
import { openConfigured } from './configured-desk.js';
import { GuestDrivers } from './guest-drivers.js';
import { GuestKeeper } from './guest-keeper.js';
import { HostGuests } from './host-guests.js';
import { ownerSocketPath } from './open-desk.js';
import { OwnerSocket } from './owner-socket.js';
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
    await using drivers = new GuestDrivers(config.guests, {
      logger,
      onEvent: (guest, type) => keeper.take(guest, type),
    });
    const guests = new HostGuests(host, drivers);
    const keeper = new GuestKeeper(guests, logger);
    const socket = await OwnerSocket.listen(ownerSocketPath(config.store), host, guests);
    try {
      keeper.start();
      const status = (): unknown => supervisor.status(`${host.tracker.claims().length} claims`);
      using soon = new Soon(status);
      host.tracker.on('claim', () => soon.due());
      status();
      supervisor.ready();
      ready(socket.path);
      await ended(signal);
      supervisor.stopping();
    } finally {
      await keeper.close();
      await socket.close();
    }
  } finally {
    await host.close();
  }
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
