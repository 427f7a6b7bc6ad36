import { VdpaError } from '../errors.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** One line that a QEMU monitor says. */
export type QmpMessage =
  | { readonly kind: 'greeting'; readonly version: string }
  /** `id` is null when it is of no request: QEMU could not read one. */
  | { readonly kind: 'return'; readonly id: number | null; readonly value: unknown }
  | {
      readonly kind: 'error';
      readonly id: number | null;
      /** `GenericError`, `CommandNotFound`, `DeviceNotFound`, … */
      readonly errorClass: string;
      readonly description: string;
    }
  | { readonly kind: 'event'; readonly event: string; readonly data: JsonObject };

/**
 * Reads one line of QMP. Members that are not known are left alone: QEMU adds some from time to time.
 *
 * @throws {VdpaError} `GUEST_PROTOCOL`
 */
export function parseQmpMessage(line: Buffer): QmpMessage {
  const message = objectOf(line);
  if ('QMP' in message) return { kind: 'greeting', version: versionOf(message['QMP']) };
  if (typeof message['event'] === 'string') {
    const data = message['data'] ?? {};
    if (!isObject(data)) throw unreadable('the data of an event are no object');
    return { kind: 'event', event: message['event'], data };
  }
  const id = message['id'] ?? null;
  if (id !== null && typeof id !== 'number') throw unreadable('an id is not of a request of ours');
  if ('return' in message) return { kind: 'return', id, value: message['return'] };
  const error = message['error'];
  if (!isObject(error)) throw unreadable('a message is neither answer nor event');
  const { class: errorClass, desc: description } = error;
  if (typeof errorClass !== 'string' || typeof description !== 'string') {
    throw unreadable('an error has no class or no words');
  }
  return { kind: 'error', id, errorClass, description };
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param what in words: `the list of fdsets` */
export function objectsIn(value: unknown, what: string): readonly JsonObject[] {
  if (!Array.isArray(value) || !value.every(isObject)) throw unreadable(`${what} is no list`);
  return value;
}

export function unreadable(what: string): VdpaError {
  return new VdpaError('GUEST_PROTOCOL', `the monitor does not speak QMP as QEMU does: ${what}`, {
    retry: 'never',
  });
}

function objectOf(line: Buffer): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(line.toString('utf8'));
  } catch {
    throw unreadable('a line is no JSON');
  }
  if (!isObject(value)) throw unreadable('a line is no object');
  return value;
}

/** `{"version": {"qemu": {"major": 7, "minor": 2, "micro": 19}, "package": …}, …}` */
function versionOf(greeting: unknown): string {
  const version = isObject(greeting) ? greeting['version'] : undefined;
  const qemu = isObject(version) ? version['qemu'] : undefined;
  const numbers = isObject(qemu) ? [qemu['major'], qemu['minor'], qemu['micro']] : [];
  if (numbers.length !== 3 || !numbers.every(Number.isSafeInteger)) {
    throw unreadable('the greeting tells no version');
  }
  return numbers.join('.');
}
