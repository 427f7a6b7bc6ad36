import type { VdpaError } from '../errors.js';
import type { ChangeResult, ChangesSince, OpenedStore } from './store.js';
import type { EncodedChange } from './store-change.js';

// What passes between a SqliteStore and its thread. The first answer, with id 0, comes unasked: the
// store is open, or why not. All others bear the id of their question. Both come in lists.

export interface Setup {
  readonly path: string;
}

export type Question =
  | { readonly kind: 'commit'; readonly id: number; readonly changes: readonly EncodedChange[] }
  | { readonly kind: 'changes'; readonly id: number; readonly from: number }
  /** The last one. Has no answer: the thread ends. */
  | { readonly kind: 'close' };

export type Answer =
  | { readonly id: number; readonly opened: OpenedStore }
  | { readonly id: number; readonly results: readonly ChangeResult[] }
  | { readonly id: number; readonly changes: ChangesSince | null }
  | { readonly id: number; readonly error: ErrorFacts };

/** A `VdpaError`, which as itself does not survive the passage. */
export type ErrorFacts = Pick<
  VdpaError,
  'code' | 'message' | 'errno' | 'step' | 'outcome' | 'retry'
>;
