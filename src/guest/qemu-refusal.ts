import { VdpaError } from '../errors.js';
import type { Ask } from './qemu-state.js';
import { QmpRefusal } from './qmp-connection.js';
import type { QmpMonitor } from './qmp-monitor.js';

export function askOf(monitor: QmpMonitor, signal: AbortSignal): Ask {
  return (command, given = {}) => monitor.ask(command, given, signal);
}

/** As callers of the library get it. */
export function guestError(error: unknown): unknown {
  if (!(error instanceof QmpRefusal)) return error;
  const { command, description, errorClass } = error;
  const missing = errorClass === 'CommandNotFound';
  return new VdpaError(
    missing ? 'NOT_SUPPORTED' : 'GUEST_REFUSED',
    `QEMU refused ${command}: ${description}`,
    { step: command, retry: missing ? 'never' : 'after-fix', cause: error },
  );
}

/** Asks for something to be taken away that need not be there. */
export async function removeIfThere(
  ask: Ask,
  command: string,
  given: Readonly<Record<string, unknown>>,
): Promise<void> {
  try {
    await ask(command, given);
  } catch (error) {
    if (!(error instanceof QmpRefusal) || !saysNotThere(error)) throw error;
  }
}

export function saysNotThere({ errorClass, description }: QmpRefusal): boolean {
  // Of an fdset it is a GenericError.
  return errorClass === 'DeviceNotFound' || /not found/.test(description);
}
