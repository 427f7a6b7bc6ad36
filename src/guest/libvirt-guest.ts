import { KeyedTurns } from '../keyed-turns.js';
import type { InstanceId } from '../tracker/claim.js';
import type { DomainDescription, DomainInterface } from './domain-xml.js';
import type { InterfaceName } from './interface-name.js';
import { aliasOf } from './interface-xml.js';
import type { LibvirtConnection } from './libvirt-connection.js';
import { type LibvirtEvent, LibvirtRefusal } from './libvirt-process.js';
import { libvirtError } from './libvirt-refusal.js';

/** A guest at one moment. */
export interface DomainView {
  readonly domainName: string;
  /** Null when it does not run. */
  readonly running: DomainDescription | null;
  /** With what it starts the next time; null for one that is forgotten when it ends. */
  readonly next: DomainDescription | null;
}

/** Which of the two an interface is given to, or taken from. */
export interface Parts {
  readonly running: boolean;
  readonly next: boolean;
}

/** Null: something may have been missed. */
export type GuestListener = (event: LibvirtEvent | null) => void;

/** Long past what libvirt's daemon takes for a call that it has begun. */
const longestCallMs = 120_000;

/** One guest of libvirt's, by its UUID or its name. */
export class LibvirtGuest {
  readonly id: InstanceId;
  readonly #connection: Pick<LibvirtConnection, 'ask'>;
  readonly #listeners = new Set<GuestListener>();
  #uuid: string | null = null;
  readonly #changes = new KeyedTurns();

  constructor(id: InstanceId, connection: Pick<LibvirtConnection, 'ask'>) {
    this.id = id;
    this.#connection = connection;
  }

  /** @throws {VdpaError} as `LibvirtConnection.ask`; `GUEST_NOT_FOUND`, `GUEST_PROTOCOL` */
  async show(signal: AbortSignal): Promise<DomainView> {
    const fields = await this.#ask(['show', this.id], signal);
    const [uuid = '', domainName = '', , xml = '', nextXml = ''] = fields;
    this.#uuid = uuid;
    const { readDomain } = await import('./domain-xml.js'); // with its parser, which is large
    const shown = readDomain(xml);
    return {
      domainName,
      running: shown.running ? shown : null,
      next: nextXml === '' ? null : readDomain(nextXml),
    };
  }

  /**
   * Gives it an interface. Once begun it is not given up: libvirt may be doing it.
   *
   * @throws {VdpaError} as libvirt refuses; `GUEST_UNREACHABLE`: it may have been done
   */
  async attach(parts: Parts, xml: string): Promise<void> {
    const limit = AbortSignal.timeout(longestCallMs);
    await this.#ask(['attach', this.id, partsWord(parts), xml], limit);
  }

  /**
   * Asks the running guest to let go, which tells later whether it did; or takes it from what the
   * guest starts with, which is done at once.
   *
   * @throws {LibvirtRefusal}
   */
  async detach(part: 'running' | 'next', name: InterfaceName, signal: AbortSignal): Promise<void> {
    const parts = partsWord({ running: part === 'running', next: part === 'next' });
    await this.#connection.ask(['detach', this.id, parts, aliasOf(name)], signal);
  }

  /** @returns how to stop listening */
  listen(listener: GuestListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Whether an event is about this guest; then its listeners have been told. */
  take(event: LibvirtEvent): boolean {
    const { uuid, domainName } = event;
    if (![uuid, domainName].includes(this.id) && uuid !== this.#uuid) return false;
    for (const listener of this.#listeners) listener(event);
    return true;
  }

  missed(): void {
    for (const listener of this.#listeners) listener(null);
  }

  /** Runs one change of the guest at a time, in the order in which they are asked for. */
  async exclusively<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    return await this.#changes.run(['change'], signal, work);
  }

  /** Resolves when no change is under way. */
  async idle(): Promise<void> {
    await this.#changes.idle();
  }

  async #ask(words: readonly [string, ...string[]], signal: AbortSignal): Promise<string[]> {
    try {
      return await this.#connection.ask(words, signal);
    } catch (error) {
      throw error instanceof LibvirtRefusal ? libvirtError(error) : error;
    }
  }
}

/** As the program is told (native/libvirt/connection.h). */
function partsWord({ running, next }: Parts): string {
  return `${(running ? 1 : 0) + (next ? 2 : 0)}`;
}

export function interfaceIn(
  description: DomainDescription | null,
  name: InterfaceName,
): DomainInterface | undefined {
  return description?.interfaces.find(({ alias }) => alias === aliasOf(name));
}
