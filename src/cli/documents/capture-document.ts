import type { Capture } from '../../index.js';
import { type Document, schemaVersion } from './document.js';

export interface CaptureDocument extends Document<'capture'>, Capture {}

export function captureDocument(capture: Capture): CaptureDocument {
  return { schemaVersion, kind: 'capture', ...capture };
}
