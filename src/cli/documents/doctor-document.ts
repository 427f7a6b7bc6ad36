import type { Finding } from '../../index.js';
import { type Document, schemaVersion } from './document.js';

export interface DoctorDocument extends Document<'doctor'> {
  /** Whether no finding is an error. */
  readonly healthy: boolean;
  readonly findings: readonly Finding[];
}

export function doctorDocument(findings: readonly Finding[]): DoctorDocument {
  const healthy = findings.every(({ severity }) => severity !== 'error');
  return { schemaVersion, kind: 'doctor', healthy, findings };
}
