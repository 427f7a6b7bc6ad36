import type { NativeHost } from '../native.js';
import { eachInTurns, type Pausing } from '../turns.js';
import { mostNamed } from './finding.js';
import type { FoundProgram, GuestSoftware } from './guest-software.js';
import type { VdpaDevice } from './vdpa-device.js';

/** The nodes of vhost_vdpa that a process may not open. */
export interface DeniedNodes {
  /** Paths of those that a finding names. */
  readonly first: readonly string[];
  readonly count: number;
}

/** What a diagnosis asks the machine and no file tells. A capture carries it in its manifest. */
export interface MachineFacts {
  readonly guestSoftware: GuestSoftware;
  readonly deniedNodes: DeniedNodes;
}

/** Never opens a node: that would reset a device which nobody uses. */
export function* deniedNodes(
  devices: readonly VdpaDevice[],
  native: NativeHost,
): Pausing<DeniedNodes> {
  const first: string[] = [];
  let count = 0;
  yield* eachInTurns(devices, ({ driver, charDevice }) => {
    if (driver !== 'vhost_vdpa' || !charDevice?.nodeExists) return;
    if (native.mayOpen(charDevice.path.slice(1))) return;
    if (count++ < mostNamed) first.push(charDevice.path);
  });
  return { first, count };
}

/** Whether it has the form: a capture comes from anywhere. */
export function isMachineFacts(value: unknown): value is MachineFacts {
  if (!isObject(value)) return false;
  const { guestSoftware, deniedNodes } = value;
  return (
    isObject(guestSoftware) &&
    isProgramOrNull(guestSoftware['qemu']) &&
    isProgramOrNull(guestSoftware['libvirt']) &&
    isDeniedNodes(deniedNodes)
  );
}

function isDeniedNodes(value: unknown): value is DeniedNodes {
  if (!isObject(value)) return false;
  const { first, count } = value;
  return (
    Number.isSafeInteger(count) &&
    Array.isArray(first) &&
    first.length === Math.min(Number(count), mostNamed) &&
    first.every((path) => typeof path === 'string')
  );
}

function isProgramOrNull(value: unknown): value is FoundProgram | null {
  if (value === null) return true;
  if (!isObject(value)) return false;
  const { name, version, timedOut } = value;
  return (
    typeof name === 'string' &&
    typeof timedOut === 'boolean' &&
    (version === null || (typeof version === 'string' && /^\d+(\.\d+)+$/.test(version)))
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
