import type { VdpaError } from '../errors.js';
import type { ChangesSince, OpenedStore } from './store.js';
import type { PackedValue } from './store-packing.js';

// What passes between a SqliteStore and its thread. The first answer, with id 0, comes unasked: the
// store is open, or why not. All others bear the id of their question. Both come in lists.

export interface Setup {
  readonly path: string;
}

/** Several commits, each with its id and its number of changes. */
export interface Commits {
  readonly kind: 'commit';
  readonly ids: number[];
  readonly counts: number[];
  readonly changes: PackedValue[];
}

export type Question =
  | Commits
  | { readonly kind: 'changes'; readonly id: number; readonly from: number }
  /** The last one. Has no answer: the thread ends. */
  | { readonly kind: 'close' };

/** What became of commits; of each of their changes the revision, or the document in conflict. */
export interface Committed {
  readonly ids: readonly number[];
  readonly counts: readonly number[];
  readonly outcomes: readonly (number | string)[];
}

export type Answer =
  | Committed
  | { readonly id: number; readonly opened: OpenedStore }
  | { readonly id: number; readonly changes: ChangesSince | null }
  | { readonly id: number; readonly error: ErrorFacts };

/** A `VdpaError`, which as itself does not survive the passage. */
export type ErrorFacts = Pick<
  VdpaError,
  'code' | 'message' | 'errno' | 'step' | 'outcome' | 'retry'
>;
