import type { ProvisionReport } from '../../index.js';
import { type Document, schemaVersion } from './document.js';

export interface ProvisionDocument extends Document<'provision'>, ProvisionReport {}

export function provisionDocument(report: ProvisionReport): ProvisionDocument {
  return { schemaVersion, kind: 'provision', ...report };
}
