import { type ErrorCode, type Outcome, type Retry, VdpaError } from '../errors.js';

// What goes over the owner's socket, one JSON document a line (docs/agent.md). The owner begins with a
// `Greeting`; then the peer sends `Request`s and `Cancel`s, and the owner an `Answer` to each request,
// in the order in which they are done, and `Progress` before it.

export const protocolName = 'vdpa-host-owner';
export const protocolVersion = 1;
/** Of one line to the owner. */
export const mostRequestBytes = 1 << 20;

export interface Greeting {
  readonly protocol: typeof protocolName;
  readonly version: number;
}

export interface Request {
  /** Chosen by the peer, and no other request's that is under way. */
  readonly id: number;
  /** A method of `ClaimDesk` or `GuestDesk`. */
  readonly verb: string;
  readonly arguments?: unknown;
}

/** Aborts a claim, an attach or a detach that is under way; says nothing of any other request. */
export interface Cancel {
  /** The request's id. */
  readonly cancel: number;
}

export type Answer =
  | { readonly id: number; readonly value: unknown }
  /** Null: of a line that is no request. */
  | { readonly id: number | null; readonly error: WireError };

/** What the owner is doing for a request that takes its time; its answer follows. */
export interface Progress {
  readonly id: number;
  readonly step: string;
}

/** The owner's last line: it has begun nothing of what it has not answered. */
export interface Farewell {
  readonly closing: true;
}

export type WireError =
  | {
      readonly type: 'VdpaError';
      readonly code: ErrorCode;
      readonly message: string;
      readonly outcome: Outcome;
      readonly retry: Retry;
      readonly leftovers: readonly string[];
      readonly errno?: string | undefined;
      readonly extack?: string | undefined;
      readonly attributeOffset?: number | undefined;
      readonly step?: string | undefined;
    }
  | { readonly type: 'TypeError' | 'Error'; readonly message: string }
  /** Cancelled; nothing of it is left. */
  | { readonly type: 'Aborted' };

export function toWire(error: unknown): WireError {
  if (error instanceof VdpaError) {
    const { code, message, outcome, retry, leftovers, errno, extack, attributeOffset, step } =
      error;
    const details = { outcome, retry, leftovers, errno, extack, attributeOffset, step };
    return { type: 'VdpaError', code, message, ...details };
  }
  if (error instanceof TypeError) return { type: 'TypeError', message: error.message };
  return { type: 'Error', message: error instanceof Error ? error.message : String(error) };
}

/** The error that `toWire` was given, without its cause. */
export function fromWire(error: Exclude<WireError, { type: 'Aborted' }>): Error {
  if (error.type === 'VdpaError') {
    const { code, message, ...details } = error;
    return new VdpaError(code, message, details);
  }
  return error.type === 'TypeError' ? new TypeError(error.message) : new Error(error.message);
}

/** A line that does not have the form it should. */
export function protocolError(what: string): VdpaError {
  return new VdpaError('OWNER_PROTOCOL', what, { retry: 'never' });
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** @throws {VdpaError} `OWNER_PROTOCOL` when it is no JSON object */
export function parseLine(line: Buffer): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(utf8.decode(line));
  } catch (error) {
    throw protocolError(`the line is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw protocolError('the line is no JSON object');
  }
  return document as Record<string, unknown>;
}
