import { VdpaError } from '../errors.js';
import { documentText } from './documents/document.js';
import { errorDocument } from './documents/error-document.js';
import type { CliIo, ExitCode } from './io.js';
import { UsageError } from './usage-error.js';
import { escapeText } from './view/escape.js';

interface ReportOptions {
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Says on stderr what went wrong, and answers with the exit status. */
export function reportError(
  error: unknown,
  { stderr }: CliIo,
  { json, verbose }: ReportOptions,
): ExitCode {
  const lines = json ? [documentText(errorDocument(error), false).trimEnd()] : errorLines(error);
  if (verbose && !(error instanceof UsageError) && !json) lines.push(...traceOf(error));
  stderr.write(`${lines.join('\n')}\n`);
  return error instanceof UsageError ? 2 : 1;
}

function errorLines(error: unknown): string[] {
  if (error instanceof UsageError) {
    const help = error.command === null ? '--help' : `${error.command} --help`;
    return [`vdpa-host: ${escapeText(error.message)} (see 'vdpa-host ${help}')`];
  }
  if (error instanceof VdpaError) {
    return [
      `vdpa-host: ${escapeText(error.message)} [${error.code}]`,
      ...error.leftovers.map((what) => `vdpa-host: left over: ${escapeText(what)}`),
    ];
  }
  const message = error instanceof Error ? error.message : String(error);
  return [
    `vdpa-host: unexpected error: ${escapeText(message)} [UNEXPECTED]`,
    'vdpa-host: this is a defect of vdpa-host: please report it, with the output of --verbose',
  ];
}

/** The stack, and those of its causes. */
function traceOf(error: unknown): string[] {
  const lines: string[] = [];
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    const stack = at.stack ?? `${at.name}: ${at.message}`;
    const [head = '', ...frames] = stack.split('\n');
    lines.push(`${seen.size === 1 ? '' : 'caused by: '}${head}`, ...frames);
  }
  return lines.map((line) => escapeText(line));
}
