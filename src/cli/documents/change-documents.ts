import type { BoundDevice, ResolvedCharDevice } from '../../index.js';
import { type Document, schemaVersion } from './document.js';

// What the changing commands have to show: what stands now.

export interface CreateDocument extends Document<'create'>, ResolvedCharDevice {}

export function createDocument(device: ResolvedCharDevice): CreateDocument {
  return { schemaVersion, kind: 'create', ...device };
}

export interface DeleteDocument extends Document<'delete'> {
  readonly name: string;
}

export function deleteDocument(name: string): DeleteDocument {
  return { schemaVersion, kind: 'delete', name };
}

export interface SetMacDocument extends Document<'set-mac'> {
  readonly name: string;
  readonly mac: string;
}

export function setMacDocument(name: string, mac: string): SetMacDocument {
  return { schemaVersion, kind: 'set-mac', name, mac };
}

export interface BindDocument extends Document<'bind'>, BoundDevice {}

export function bindDocument(device: BoundDevice): BindDocument {
  return { schemaVersion, kind: 'bind', ...device };
}

export interface VfsDocument extends Document<'vfs'> {
  readonly pf: string;
  /** Addresses. */
  readonly vfs: readonly string[];
}

export function vfsDocument(pf: string, vfs: readonly string[]): VfsDocument {
  return { schemaVersion, kind: 'vfs', pf, vfs };
}
