import { setTimeout as sleep } from 'node:timers/promises';
import { VdpaError } from '../errors.js';
import type { InterfaceName } from './interface-name.js';
import { askOf, saysNotThere } from './qemu-refusal.js';
import { devicesById } from './qemu-state.js';
import { QmpRefusal } from './qmp-connection.js';
import type { QmpMonitor } from './qmp-monitor.js';

/** A guest is asked as often. */
const mostRequests = 8;
/** How long it may take to answer the first request; then twice as long, up to the longest. */
const firstWaitMs = 5_000;
const longestWaitMs = 20_000;
/** After a refusal it is asked again no sooner. */
const restMs = 500;

type Answer = 'deleted' | 'refused';

/**
 * Asks the guest to let go of a device, until it has. Only when QEMU has told of the device itself is
 * it gone: of a virtio device's two DEVICE_DELETED the first is of its inner part.
 *
 * @throws {VdpaError} `GUEST_KEEPS_DEVICE` when it refused each time
 * @throws the signal's reason, when it comes before that
 */
export async function unplug(
  monitor: QmpMonitor,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<void> {
  const answers = new UnplugAnswers(monitor, name);
  try {
    let refusal = '';
    for (let request = 0; request < mostRequests; request++) {
      const said = await ask(monitor, name, signal);
      if (said === 'gone') return;
      const waitMs = Math.min(firstWaitMs * 2 ** request, longestWaitMs);
      const answer = said === 'asked' ? await answers.next(waitMs, signal) : 'refused';
      if (answer === 'deleted') return;
      if (answer === 'refused') {
        refusal = said === 'asked' ? 'it refused' : said;
        await rest(Math.min(restMs * 2 ** request, longestWaitMs), signal);
      }
    }
    throw new VdpaError(
      'GUEST_KEEPS_DEVICE',
      `the guest does not let go of ${name}: ${refusal || 'it does not answer'}`,
      { retry: 'later', step: 'device_del' },
    );
  } finally {
    answers.stop();
  }
}

/** `asked`, `gone`, or why it cannot be asked now. */
async function ask(
  monitor: QmpMonitor,
  name: InterfaceName,
  signal: AbortSignal,
): Promise<'asked' | 'gone' | (string & {})> {
  const asking = askOf(monitor, signal);
  // An event may have been missed, with a connection that was lost.
  if (!(await devicesById(asking)).has(name)) return 'gone';
  try {
    await asking('device_del', { id: name });
    return 'asked';
  } catch (error) {
    if (!(error instanceof QmpRefusal)) throw error;
    if (saysNotThere(error)) return 'gone';
    if (/already in the process of unplug/.test(error.description)) return 'asked';
    return error.description;
  }
}

/** What is said of one device; listens from its construction on, before anything is asked. */
class UnplugAnswers {
  readonly stop: () => void;
  #latest: Answer | null = null;
  #tell: () => void = () => {};

  constructor(monitor: QmpMonitor, name: InterfaceName) {
    this.stop = monitor.listen({
      event: ({ event, data }) => {
        if (data['device'] !== name) return;
        if (event === 'DEVICE_DELETED') this.#take('deleted');
        else if (event === 'DEVICE_UNPLUG_GUEST_ERROR') this.#take('refused');
      },
      // Whoever waits for an answer looks again.
      lost: () => this.#tell(),
    });
  }

  /** Null when nothing is said for so long. */
  async next(waitMs: number, signal: AbortSignal): Promise<Answer | null> {
    signal.throwIfAborted();
    if (this.#latest === null) {
      const ending = new AbortController();
      this.#tell = () => ending.abort();
      await rest(waitMs, AbortSignal.any([signal, ending.signal])).catch(() => {});
      if (this.#latest === null) signal.throwIfAborted();
    }
    const answer = this.#latest;
    this.#latest = null;
    return answer;
  }

  #take(answer: Answer): void {
    this.#latest = answer;
    this.#tell();
  }
}

/** @throws the signal's reason, when it comes before the time is up */
async function rest(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    signal.throwIfAborted();
  }
}
