/** How a host is followed. */
export interface WatchOptions {
  /** Ends the watch; loops over it throw the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Milliseconds, up to a day, after which everything is read anew although nothing happened: for
   * what changes without an event, such as an interface's MAC address. 0: never. Default: a minute.
   */
  readonly rereadMs?: number | undefined;
  /**
   * Milliseconds, up to a day, between one round of asking every network device's link and the next;
   * 0, the default, asks none, and tells no `health`. The question waits for a guest that is changing
   * its device's state, and every vDPA command of the host waits with it.
   */
  readonly healthMs?: number | undefined;
  /**
   * Memory in which the kernel queues events, in bytes from 1 to 1 GiB; default 16 MiB. Without
   * CAP_NET_ADMIN the kernel gives no more than net.core.rmem_max.
   */
  readonly receiveBufferBytes?: number | undefined;
}

/** Kept apart from the parser: a watch as it comes loads no zod. */
export const defaultWatchOptions = {
  signal: undefined,
  rereadMs: 60_000,
  healthMs: 0,
  receiveBufferBytes: 16 << 20,
} as const;
