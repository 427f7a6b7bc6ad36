/** Raised when a document loses a key or a key changes its meaning; new keys alone do not. */
export const schemaVersion = 1;

export type DocumentKind =
  | 'list'
  | 'tree'
  | 'show'
  | 'stats'
  | 'doctor'
  | 'inventory'
  | 'event'
  | 'capture'
  | 'create'
  | 'delete'
  | 'set-mac'
  | 'bind'
  | 'vfs'
  | 'provision'
  | 'pools'
  | 'claims'
  | 'claim'
  | 'release'
  | 'attach'
  | 'detach'
  | 'guests'
  | 'audit'
  | 'heal'
  | 'store-check'
  | 'error';

/** What every document begins with. */
export interface Document<Kind extends DocumentKind = DocumentKind> {
  readonly schemaVersion: typeof schemaVersion;
  readonly kind: Kind;
}

/** One line for programs, indented for a person's terminal; always one document. */
export function documentText(document: Document, indented: boolean): string {
  return `${JSON.stringify(document, null, indented ? 2 : 0)}\n`;
}

/** A feature word or other bit mask: JSON numbers end at 53 bits. */
export function hexOf(mask: bigint): string {
  return `0x${mask.toString(16)}`;
}
