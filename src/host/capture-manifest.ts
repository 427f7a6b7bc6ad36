import { readFileSync } from 'node:fs';
import { machine, release, type, version } from 'node:os';
import { VdpaError } from '../errors.js';
import { isMachineFacts, type MachineFacts } from './machine-facts.js';

/** Where it lies in a captured tree. native/core/recording.cc knows the name too. */
export const manifestName = 'vdpa-host-capture.json';

/** Raised when an older vdpa-host would read a capture wrongly. */
export const captureFormat = 1;

/** The kernel as uname(2) names it, without the names of the machine. */
interface KernelVersion {
  readonly system: string;
  readonly release: string;
  readonly version: string;
  readonly machine: string;
}

/** What a capture says of itself. */
export interface CaptureManifest {
  readonly format: number;
  /** The vdpa-host and the Node that made it. */
  readonly madeBy: string;
  readonly node: string;
  /** UTC, ISO 8601. */
  readonly madeAt: string;
  /** Null when a tree without it was captured again. */
  readonly kernel: KernelVersion | null;
  /** False when the host kept changing while it was read. */
  readonly consistent: boolean;
  /** What was asked and got no answer; a replay answers as if there was nothing. */
  readonly unanswered: readonly string[];
  /** What was read and may be in no capture. */
  readonly withheld: readonly string[];
  /** What the doctor asked the machine. Older captures have none: it then says nothing of it. */
  readonly machine?: MachineFacts | undefined;
}

/** @param of null for this machine itself; else what the captured tree says of itself */
export function newManifest(
  what: Pick<CaptureManifest, 'consistent' | 'unanswered' | 'withheld' | 'machine'>,
  kernel: KernelVersion | null = {
    system: type(),
    release: release(),
    version: version(),
    machine: machine(),
  },
): CaptureManifest {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const { name, version: own } = JSON.parse(text) as { name: string; version: string };
  return {
    format: captureFormat,
    madeBy: `${name} ${own}`,
    node: process.version,
    madeAt: new Date().toISOString(),
    kernel,
    ...what,
  };
}

/**
 * @param where the capture, for messages
 * @throws {VdpaError} `CAPTURE_INVALID`, `CAPTURE_TOO_NEW`
 */
export function parseManifest(text: string, where: string): CaptureManifest {
  let manifest: Partial<CaptureManifest> | null = null;
  try {
    manifest = JSON.parse(text);
  } catch {
    // Said below.
  }
  const { format, consistent, machine } = manifest ?? {};
  if (typeof format === 'number' && format > captureFormat) {
    throw new VdpaError(
      'CAPTURE_TOO_NEW',
      `${where}: the capture has format ${format}, made by ${JSON.stringify(manifest?.madeBy)}; ` +
        `this vdpa-host reads up to format ${captureFormat}: use a newer one`,
    );
  }
  const sound =
    format === captureFormat &&
    typeof consistent === 'boolean' &&
    (machine === undefined || isMachineFacts(machine));
  if (!sound) {
    throw new VdpaError('CAPTURE_INVALID', `${where}: ${manifestName} is damaged`, {
      retry: 'never',
    });
  }
  return manifest as CaptureManifest;
}
