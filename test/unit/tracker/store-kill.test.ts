import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { ownDatabase } from '../../../src/tracker/sqlite-ownership.js';
import { checkStore } from '../../../src/tracker/store-check.js';
import { newStorePath } from '../../support/store-files.js';
import { answeredSteps, lostSteps, storedSteps, stormProgram } from '../../support/store-storm.js';
import { long } from '../../support/test-length.js';

const lanes = 16;
const kills = long ? 200 : 4;

/** Numbers from 0 to 1, always the same for a seed. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Lets a storm answer a number of steps, then kills it some time between two of them; what it said. */
async function stormUntil(path: string, steps: number, delayMs: number): Promise<string> {
  const child = spawn(process.execPath, [stormProgram, path, `${lanes}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  let seen = 0;
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    seen += text.split('\n').length - 1;
    if (seen >= steps) setTimeout(() => child.kill('SIGKILL'), delayMs);
  });
  const [, signal] = await once(child, 'close');
  expect(signal).toBe('SIGKILL');
  return output;
}

test(
  `${kills} kills in a storm of commits lose nothing that was answered, and halve nothing`,
  async () => {
    const seed = Number(process.env['VDPA_HOST_SEED'] ?? Date.now() % 1e9);
    console.log(`VDPA_HOST_SEED=${seed}`);
    const random = randomFrom(seed);
    const path = newStorePath();
    let answered: number[] = new Array(lanes).fill(0);
    for (let kill = 0; kill < kills; kill++) {
      const output = await stormUntil(path, 1 + random() * 400, random() * 20);
      const before = answered;
      answered = answeredSteps(output, answered);
      expect(answered).not.toEqual(before);
      // The lock of the killed owner is free at once.
      const { opened, close } = ownDatabase(path);
      close();
      const stored = storedSteps(opened.state, lanes);
      expect(lostSteps(answered, stored)).toBe(0);
      // Of each lane at most the one step is there that was asked for and not answered.
      for (const [lane, step] of stored.entries()) {
        expect(step - (answered[lane] ?? 0)).toBeLessThanOrEqual(1);
      }
      answered = stored;
    }
    expect(checkStore(path)).toMatchObject({ faults: [], holder: null });
  },
  long ? 1_800_000 : 60_000,
);
