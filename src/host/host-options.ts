/** What a host is opened with. */
export interface HostOptions {
  /** Where the host's files are: `/`, a captured tree, or a capture (.tar.gz). Default `/`. */
  readonly root?: string | undefined;
  /** How long the kernel may take for one answer, in milliseconds from 1 to 600,000. Default 10,000. */
  readonly timeoutMs?: number | undefined;
}

/** Kept apart from the parser: opening a host as it comes loads no zod. */
export const defaultHostOptions = { root: '/', timeoutMs: 10_000 } as const;

/** Of every time limit, in milliseconds. */
export const mostTimeoutMs = 600_000;
