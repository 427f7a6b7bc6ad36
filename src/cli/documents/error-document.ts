import { type Outcome, type Retry, VdpaError } from '../../errors.js';
import { UsageError } from '../usage-error.js';
import { type Document, schemaVersion } from './document.js';

/** A `VdpaError` as data. */
export interface ErrorBody {
  /** An `ErrorCode`, `USAGE` or `UNEXPECTED`. */
  readonly code: string;
  readonly message: string;
  readonly errno?: string;
  readonly extack?: string;
  readonly attributeOffset?: number;
  readonly step?: string;
  readonly retry: Retry;
  readonly outcome: Outcome;
  readonly leftovers?: readonly string[];
}

export interface ErrorDocument extends Document<'error'> {
  readonly error: ErrorBody;
}

export function errorDocument(error: unknown): ErrorDocument {
  return { schemaVersion, kind: 'error', error: errorBody(error) };
}

export function errorBody(error: unknown): ErrorBody {
  if (error instanceof VdpaError) {
    const { code, message, errno, extack, attributeOffset, step, retry, outcome, leftovers } =
      error;
    return {
      code,
      message,
      ...(errno === undefined ? {} : { errno }),
      ...(extack === undefined ? {} : { extack }),
      ...(attributeOffset === undefined ? {} : { attributeOffset }),
      ...(step === undefined ? {} : { step }),
      retry,
      outcome,
      ...(leftovers.length === 0 ? {} : { leftovers }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof UsageError
    ? { code: 'USAGE', message, retry: 'never', outcome: 'unchanged' }
    : { code: 'UNEXPECTED', message, retry: 'never', outcome: 'unknown' };
}
