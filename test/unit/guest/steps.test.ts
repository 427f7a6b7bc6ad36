import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { runSteps, type Step } from '../../../src/guest/steps.js';

const never = Number.POSITIVE_INFINITY;
const late = ({ what }: Step): VdpaError =>
  new VdpaError('GUEST_TIMEOUT', `too late: ${what}`, { retry: 'later' });

interface Faults {
  /** The step whose run throws that. */
  readonly run?: Readonly<Record<string, unknown>>;
  readonly undo?: Readonly<Record<string, unknown>>;
}

/** Steps that write down what is done with them. */
function recorded(names: string, faults: Faults = {}): { steps: Step[]; log: string[] } {
  const log: string[] = [];
  const steps = [...names].map((what): Step => {
    const act = async (where: keyof Faults, mark: string): Promise<void> => {
      log.push(`${mark}${what}`);
      if (faults[where]?.[what] !== undefined) throw faults[where][what];
    };
    return {
      what,
      leaves: `what ${what} made`,
      run: () => act('run', '+'),
      undo: () => act('undo', '-'),
    };
  });
  return { steps, log };
}

const failure = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    (error: unknown) => error,
  );

describe('steps', () => {
  test('are run in order, and nothing is undone', async () => {
    const { steps, log } = recorded('abc');
    await runSteps(steps, { deadline: never, late });
    expect(log).toEqual(['+a', '+b', '+c']);
  });

  test.each(['a', 'b', 'c'])('are undone in reverse from the one that fails: %s', async (fails) => {
    const error = new VdpaError('GUEST_REFUSED', 'no', { errno: 'EBUSY', retry: 'later' });
    const { steps, log } = recorded('abc', { run: { [fails]: error } });
    const begun = [...'abc'.slice(0, 'abc'.indexOf(fails) + 1)];
    expect(await failure(runSteps(steps, { deadline: never, late }))).toMatchObject({
      code: 'GUEST_REFUSED',
      message: 'no',
      errno: 'EBUSY',
      retry: 'later',
      step: fails,
      // A step that says that it changed nothing is believed.
      outcome: fails === 'a' ? 'unchanged' : 'undone',
      leftovers: [],
    });
    expect(log).toEqual([
      ...begun.map((name) => `+${name}`),
      ...begun.toReversed().map((name) => `-${name}`),
    ]);
  });

  test('that cannot be undone keep those that they stand on', async () => {
    const { steps, log } = recorded('abcd', {
      run: { d: new VdpaError('GUEST_REFUSED', 'no room') },
      undo: { b: new Error('it will not let go') },
    });
    expect(await failure(runSteps(steps, { deadline: never, late }))).toMatchObject({
      code: 'GUEST_REFUSED',
      message: 'no room; then it could not be undone: it will not let go',
      step: 'd',
      outcome: 'partial',
      leftovers: ['what a made', 'what b made'],
    });
    expect(log).toEqual(['+a', '+b', '+c', '+d', '-d', '-c', '-b']);
  });

  test('aborted reject with the reason, once all is undone', async () => {
    const reason = new Error('changed my mind');
    const controller = new AbortController();
    const { steps, log } = recorded('abc');
    const [first, second, third] = steps;
    if (!first || !second || !third) throw new Error('three steps');
    const waits: Step = {
      ...second,
      run: async (signal) => {
        await second.run(signal);
        controller.abort(reason);
        signal.throwIfAborted();
      },
    };
    const call = runSteps([first, waits, third], {
      signal: controller.signal,
      deadline: never,
      late,
    });
    expect(await failure(call)).toBe(reason);
    expect(log).toEqual(['+a', '+b', '-b', '-a']);
  });

  test('aborted in the last one are undone although it was done', async () => {
    const controller = new AbortController();
    const { steps, log } = recorded('a');
    const [only] = steps;
    if (!only) throw new Error('a step');
    const aborts: Step = {
      ...only,
      run: async (signal) => {
        await only.run(signal);
        controller.abort();
      },
    };
    const call = runSteps([aborts], { signal: controller.signal, deadline: never, late });
    expect(await failure(call)).toBe(controller.signal.reason);
    expect(log).toEqual(['+a', '-a']);
  });

  test('aborted that cannot be undone say so, with the reason as the cause', async () => {
    const reason = new Error('changed my mind');
    const controller = new AbortController();
    const { steps } = recorded('ab', {
      undo: { a: new VdpaError('GUEST_UNREACHABLE', 'gone', { retry: 'later' }) },
    });
    const aborting: Step = { what: 'z', run: async () => controller.abort(reason) };
    const call = runSteps([...steps, aborting], {
      signal: controller.signal,
      deadline: never,
      late,
    });
    expect(await failure(call)).toMatchObject({
      code: 'GUEST_UNREACHABLE',
      message: 'changed my mind; then it could not be undone: gone',
      outcome: 'partial',
      leftovers: ['what a made'],
      cause: reason,
    });
  });

  test('aborted before do nothing', async () => {
    const { steps, log } = recorded('a');
    const signal = AbortSignal.abort(new Error('never mind'));
    expect(await failure(runSteps(steps, { signal, deadline: never, late }))).toBe(signal.reason);
    expect(log).toEqual([]);
  });

  test('that come too late are undone', async () => {
    const { steps, log } = recorded('a');
    const slow: Step = {
      what: 'slow',
      run: (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        }),
    };
    expect(await failure(runSteps([...steps, slow], { deadline: 0, late }))).toMatchObject({
      code: 'GUEST_TIMEOUT',
      message: 'too late: slow',
      step: 'slow',
      outcome: 'undone',
    });
    expect(log).toEqual(['+a', '-a']);
  });

  test('whose failure is no VdpaError throw it as it is, once all is undone', async () => {
    const error = new TypeError('not that one');
    const { steps, log } = recorded('ab', { run: { b: error } });
    expect(await failure(runSteps(steps, { deadline: never, late }))).toBe(error);
    expect(log).toEqual(['+a', '+b', '-b', '-a']);
  });

  test('keep what a failed step itself could not take back', async () => {
    const error = new VdpaError('GUEST_REFUSED', 'no', { leftovers: ['a crumb'] });
    const { steps } = recorded('ab', { run: { b: error } });
    expect(await failure(runSteps(steps, { deadline: never, late }))).toMatchObject({
      outcome: 'partial',
      leftovers: ['a crumb'],
    });
  });
});
