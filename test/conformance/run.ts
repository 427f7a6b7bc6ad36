import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { type DecideCase, type RecordedCase, readCase } from './cases.js';
import { decideDevice } from './device-cases.js';
import { decideDeviceSpec } from './device-spec-cases.js';
import { decideRequest } from './request-cases.js';
import { decideTracker } from './tracker-cases.js';

/** By the `op` of their cases. */
const deciders = new Map<string, DecideCase>([
  ['device_spec', decideDeviceSpec],
  ['request', decideRequest],
  ['device', decideDevice],
  ['tracker', decideTracker],
]);

export interface Result {
  readonly passed: number;
  readonly failed: number;
  /** Of the first cases that failed, each with its id. */
  readonly differences: readonly string[];
}

const mostCasesShown = 5;
const mostDifferencesShown = 5;

/** Decides every case of one of the files that are kept here, named without its ending. */
export function runVectors(name: string): Result {
  return runFile(fileURLToPath(new URL(`vectors/${name}.jsonl.gz`, import.meta.url)));
}

/** Decides every case of a file of JSON lines, compressed or not. */
export function runFile(path: string): Result {
  const bytes = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  let passed = 0;
  const failures: string[][] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const recorded = readCase(line);
    if (recorded?.case?.op === undefined) throw new Error(`${path} has a line that is no case`);
    const found = decide(recorded);
    if (found.length === 0) passed++;
    else
      failures.push(found.slice(0, mostDifferencesShown).map((one) => `${recorded.case.id}${one}`));
  }
  if (passed + failures.length === 0) throw new Error(`${path} has no cases`);
  return {
    passed,
    failed: failures.length,
    differences: failures.slice(0, mostCasesShown).flat(),
  };
}

function decide(recorded: RecordedCase): readonly string[] {
  const decider = deciders.get(recorded.case.op);
  if (decider === undefined) return [`: nothing decides ${JSON.stringify(recorded.case.op)}`];
  try {
    return decider(recorded);
  } catch (error) {
    return [`: ${error instanceof Error ? error.stack : error}`];
  }
}
