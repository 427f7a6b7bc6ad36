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
   * Memory in which the kernel queues events, in bytes from 1 to 1 GiB; default 16 MiB. Without
   * CAP_NET_ADMIN the kernel gives no more than net.core.rmem_max.
   */
  readonly receiveBufferBytes?: number | undefined;
}

/** Kept apart from the parser: a watch as it comes loads no zod. */
export const defaultWatchOptions = {
  signal: undefined,
  rereadMs: 60_000,
  receiveBufferBytes: 16 << 20,
} as const;
