import type { LibvirtConnection } from '../../../../src/guest/libvirt-connection.js';
import { LibvirtGuest } from '../../../../src/guest/libvirt-guest.js';
import { LibvirtRefusal } from '../../../../src/guest/libvirt-process.js';
import type { InstanceId } from '../../../../src/tracker/claim.js';

export type LibvirtWords = readonly [string, ...string[]];

/**
 * Answers as a script says, for what libvirt itself cannot be made to do at will: an empty list is done,
 * an error is thrown.
 */
export class ScriptedLibvirt implements Pick<LibvirtConnection, 'ask'> {
  readonly asked: string[] = [];
  readonly #answer: (words: LibvirtWords, libvirt: ScriptedLibvirt) => string[] | Error;

  constructor(answer: (words: LibvirtWords, libvirt: ScriptedLibvirt) => string[] | Error) {
    this.#answer = answer;
  }

  async ask(words: LibvirtWords, signal: AbortSignal): Promise<string[]> {
    signal.throwIfAborted();
    this.asked.push(words[0] === 'show' ? 'show' : `${words[0]} ${words[2]}`);
    const answer = this.#answer(words, this);
    if (answer instanceof Error) throw answer;
    return answer;
  }

  get guest(): LibvirtGuest {
    return new LibvirtGuest('vm1' as InstanceId, this);
  }
}

/** What `show` answers: a domain as it runs, and as it starts. */
export function shown(running: string | null, next: string | null): string[] {
  const xml = (devices: string, id: string): string =>
    `<domain type='kvm'${id}><name>vm1</name><memory unit='MiB'>64</memory><devices>${devices}</devices></domain>`;
  const now = running === null ? xml(next ?? '', '') : xml(running, " id='1'");
  return ['uuid', 'vm1', running === null ? '0' : '1', now, next === null ? '' : xml(next, '')];
}

export function refusal(code: number, message: string): LibvirtRefusal {
  return new LibvirtRefusal('detach', code, 10, message);
}
