import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaError } from '../errors.js';
import { assertForm } from '../tracker/arguments.js';
import { abortSignal, from, optional, shape } from '../tracker/form.js';
import { storePath } from '../tracker/store-path.js';
import type { ClaimDesk } from './claim-desk.js';
import { OwnerClient } from './owner-client.js';

export interface OpenDeskOptions {
  readonly signal?: AbortSignal | undefined;
  /** How long an owner that holds the store may take to listen, or to let go. Default: 5,000. */
  readonly patienceMs?: number | undefined;
  /** How long an owner may take for an answer. Default: that of `OwnerClient`. */
  readonly timeoutMs?: number | undefined;
}

const optionsForm = shape<OpenDeskOptions>({
  signal: optional(abortSignal),
  patienceMs: optional(from(0)),
  timeoutMs: optional(from(1)),
});

const pauseMs = 50;

/** Where the owner of a store listens. @throws {VdpaError} `STORE_NOT_OPENED` */
export function ownerSocketPath(store: string): string {
  return `${storePath(store).file}.sock`;
}

/**
 * Whoever keeps the records of a store: its owner, when there is one; else this process, which then
 * owns it until what is returned is disposed of.
 *
 * @param store path of the store's file
 * @param openLocal opens the store; `STORE_LOCKED` when another has it
 * @throws {TypeError} an option that does not exist or has the wrong form, by name
 * @throws {VdpaError} those of `openLocal`; `STORE_LOCKED` when who has it does not answer either;
 *   `PERMISSION_DENIED`, `OWNER_PROTOCOL`
 */
export async function openDesk<Own extends ClaimDesk & AsyncDisposable>(
  store: string,
  openLocal: () => Promise<Own>,
  options: OpenDeskOptions = {},
): Promise<OwnerClient | Own> {
  assertForm('openDesk', optionsForm, options);
  const { signal, patienceMs = 5000, timeoutMs } = options;
  const socket = ownerSocketPath(store);
  const until = performance.now() + patienceMs;
  for (;;) {
    signal?.throwIfAborted();
    // The owner first: it answers at once, while to be told that a store is locked takes half a second.
    const client = await reached(socket, { signal, patienceMs, timeoutMs });
    if (client instanceof OwnerClient) return client;
    try {
      return await openLocal();
    } catch (error) {
      if (!(error instanceof VdpaError) || error.code !== 'STORE_LOCKED') throw error;
      if (performance.now() >= until) throw silent(error, client);
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }
}

/** Its absence is an answer. */
async function reached(
  socket: string,
  { signal, patienceMs, timeoutMs }: OpenDeskOptions,
): Promise<OwnerClient | VdpaError> {
  try {
    return await OwnerClient.connect(socket, { signal, greetingMs: patienceMs, timeoutMs });
  } catch (error) {
    if (error instanceof VdpaError && error.code === 'OWNER_UNREACHABLE') return error;
    throw error;
  }
}

function silent(locked: VdpaError, unreachable: VdpaError): VdpaError {
  return new VdpaError('STORE_LOCKED', `${locked.message}; ${unreachable.message}`, {
    step: locked.step,
    retry: 'later',
    cause: unreachable,
  });
}
