/** Who owns a store, as the owner wrote it. */
export interface StoreOwner {
  readonly pid: number;
  readonly command: string;
  /** When it took the store, UTC: told to people, and nothing is decided by it. */
  readonly since: string;
}

/** Whose a store is. Null: nobody's; `unknown`: somebody's whose name cannot be read. */
export type StoreHolder = StoreOwner | 'unknown' | null;

/** A holder in words. */
export function holderText(holder: StoreOwner | 'unknown'): string {
  if (holder === 'unknown') return 'a process that has not said who it is';
  const own = holder.pid === process.pid ? ', this one' : '';
  return `process ${holder.pid}${own} (${holder.command}) since ${holder.since}`;
}
