import { z } from 'zod';
import { VdpaError } from '../errors.js';
import { defaultLibvirtUri } from '../guest/libvirt-uri.js';
import { MonitorPath } from '../guest/monitor-path.js';
import { issueTexts } from '../parsed.js';
import { numaPolicies } from '../policy/numa-policy.js';
import { defaultTrackingOptions } from './tracking-options.js';

const dayMs = 86_400_000;

const monitor = z.string().superRefine((path, context) => {
  try {
    new MonitorPath(path);
  } catch (error) {
    context.addIssue(error instanceof Error ? error.message : String(error));
  }
});

const config = z.strictObject({
  deviceSpec: z.array(z.unknown()),
  store: z.string().min(1),
  reportInPlacement: z.boolean().default(defaultTrackingOptions.reportInPlacement),
  allowSoftwareDevices: z.boolean().default(defaultTrackingOptions.allowSoftwareDevices),
  retypeGraceMs: z.int().min(0).max(dayMs).default(defaultTrackingOptions.retypeGraceMs),
  numa: z
    .strictObject({ policy: z.enum(numaPolicies).nullable().default(null) })
    .default({ policy: null }),
  guests: z
    .strictObject({
      qmp: z.strictObject({ monitor }).nullable().default(null),
      libvirt: z
        .strictObject({ uri: z.string().min(1).default(defaultLibvirtUri) })
        .nullable()
        .default(null),
    })
    .default({ qmp: null, libvirt: null }),
});

/** @throws {VdpaError} `CONFIG_INVALID` */
export function parseConfig(text: string, file: string): z.output<typeof config> {
  let written: unknown;
  try {
    written = JSON.parse(text);
  } catch (error) {
    throw invalid(file, `is no JSON: ${error instanceof Error ? error.message : error}`, error);
  }
  const parsed = config.safeParse(written);
  if (parsed.success) return parsed.data;
  throw invalid(file, issueTexts(parsed.error), parsed.error);
}

function invalid(file: string, why: string, cause: unknown): VdpaError {
  return new VdpaError('CONFIG_INVALID', `${file}: ${why}`, { cause });
}
