import { Worker } from 'node:worker_threads';
import { VdpaError } from '../errors.js';
import type { DeviceId } from '../host/device-id.js';
import type { ClaimId, InstanceId } from './claim.js';
import type {
  Answer,
  Commits,
  Committed,
  ErrorFacts,
  Question,
  Setup,
} from './sqlite-store-messages.js';
import type { ChangeResult, ChangesSince, OpenedStore, Store, StoreChange } from './store.js';
import { assertOneWriteEach } from './store-change.js';
import { packChange } from './store-packing.js';

/** The question that is not asked: starting the thread is. */
const openingId = 0;

/** What somebody waits for. */
interface Waiting {
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * The durable store: one SQLite file, which a thread of its own reads and writes, so that no call
 * blocks the caller's. docs/store.md has what is durable, and where the file may be.
 *
 * One process owns a store at a time, and in it one open `SqliteStore`. An open store does not keep
 * the process alive; a call under way does.
 */
export class SqliteStore implements Store {
  readonly #path: string;
  #thread: StoreThread | null = null;

  /** @param path of the file; it is made when it is not there, its folder is not */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @throws {VdpaError} `STORE_LOCKED`, `STORE_NOT_OPENED`, `STORE_CORRUPT`, `STORE_TOO_NEW`,
   *   `STORE_FULL`, `STORE_FAILED`, `STORE_ENGINE_MISSING`
   */
  async open(): Promise<OpenedStore> {
    if (this.#thread !== null) throw new TypeError('the store is open already');
    const thread = new StoreThread(this.#path);
    this.#thread = thread;
    try {
      return await thread.opened;
    } catch (error) {
      // Until it is gone, it may hold files; and the process has to stay for that.
      thread.end();
      await thread.ended;
      this.#thread = null;
      throw error;
    }
  }

  async commit(changes: readonly StoreChange[]): Promise<readonly ChangeResult[]> {
    const thread = this.#openThread();
    changes.forEach(assertOneWriteEach);
    return await thread.commit(changes);
  }

  async changes(fromRevision: number): Promise<ChangesSince | null> {
    return await this.#openThread().changes(fromRevision);
  }

  /** Resolves when what was under way is done and another may open the store. */
  async close(): Promise<void> {
    const thread = this.#thread;
    if (thread === null) return;
    thread.end();
    await thread.ended;
    if (this.#thread === thread) this.#thread = null;
  }

  #openThread(): StoreThread {
    if (this.#thread === null || this.#thread.ending) {
      throw new VdpaError('CLOSED', 'the store is not open', { retry: 'never' });
    }
    return this.#thread;
  }
}

/** The thread that owns the file, and the questions that it has not answered. */
class StoreThread {
  readonly opened: Promise<OpenedStore>;
  /** Resolves when the thread is gone, and with it everything that it held. */
  readonly ended: Promise<void>;
  ending = false;
  readonly #path: string;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #asked = openingId + 1;
  readonly #outbox: Question[] = [];
  #dead: VdpaError | null = null;

  constructor(path: string) {
    this.#path = path;
    this.#worker = new Worker(new URL('./sqlite-store-worker.js', import.meta.url), {
      workerData: { path } satisfies Setup,
      name: 'vdpa-host store',
      // What the program was started with is about its own file: --input-type, --eval, --watch.
      execArgv: [],
    });
    this.opened = this.#answerTo<OpenedStore>(openingId);
    this.#worker.on('message', (answers: readonly Answer[]) => this.#take(answers));
    this.ended = new Promise((resolve) => {
      this.#worker.once('error', (error) => this.#die(error));
      this.#worker.once('exit', (code) => {
        this.#die(new Error(`its thread ended (${code})`));
        resolve();
      });
    });
  }

  async commit(changes: readonly StoreChange[]): Promise<ChangeResult[]> {
    const id = this.#nextId();
    const last = this.#outbox.at(-1);
    const commits: Commits =
      last?.kind === 'commit' ? last : { kind: 'commit', ids: [], counts: [], changes: [] };
    commits.ids.push(id);
    commits.counts.push(changes.length);
    for (const change of changes) packChange(commits.changes, change);
    if (commits !== last) this.#send(commits);
    return await this.#answerTo<ChangeResult[]>(id);
  }

  async changes(from: number): Promise<ChangesSince | null> {
    const id = this.#nextId();
    this.#send({ kind: 'changes', id, from });
    return await this.#answerTo<ChangesSince | null>(id);
  }

  end(): void {
    if (this.ending) return;
    this.ending = true;
    this.#worker.ref();
    this.#send({ kind: 'close' });
  }

  /** What is asked in one turn of the event loop, promises included, goes in one message. */
  #send(question: Question): void {
    this.#outbox.push(question);
    if (this.#outbox.length > 1) return;
    process.nextTick(() => this.#worker.postMessage(this.#outbox.splice(0)));
  }

  #nextId(): number {
    if (this.#dead !== null) throw this.#dead;
    return this.#asked++;
  }

  #answerTo<T>(id: number): Promise<T> {
    // The process stays for as long as somebody waits.
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: (answer) => resolve(answer as T), reject });
    });
  }

  #take(answers: readonly Answer[]): void {
    for (const answer of answers) {
      if ('outcomes' in answer) this.#takeCommitted(answer);
      else if ('error' in answer) this.#taken(answer.id)?.reject(errorOf(answer.error));
      else this.#taken(answer.id)?.resolve('opened' in answer ? answer.opened : answer.changes);
    }
    if (this.#waiting.size === 0 && !this.ending) this.#worker.unref();
  }

  #takeCommitted({ ids, counts, outcomes }: Committed): void {
    let at = 0;
    for (const [index, id] of ids.entries()) {
      const end = at + (counts[index] ?? 0);
      this.#taken(id)?.resolve(outcomes.slice(at, end).map(resultOf));
      at = end;
    }
  }

  #taken(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #die(cause: Error): void {
    const open = !this.#waiting.has(openingId);
    this.#dead ??= new VdpaError(
      'STORE_FAILED',
      open
        ? `the store ${this.#path} failed, and whether the last changes are in it is not known: open it again and read: ${cause.message}`
        : `the store ${this.#path} could not be opened: ${cause.message}`,
      {
        outcome: open ? 'unknown' : 'unchanged',
        retry: 'after-fix',
        step: `${open ? 'commit to' : 'open'} ${this.#path}`,
        cause,
      },
    );
    for (const { reject } of this.#waiting.values()) reject(this.#dead);
    this.#waiting.clear();
  }
}

function resultOf(outcome: number | string): ChangeResult {
  return typeof outcome === 'number'
    ? { committed: true, revision: outcome }
    : { committed: false, conflict: outcome as DeviceId | ClaimId | InstanceId };
}

function errorOf({ code, message, ...details }: ErrorFacts): VdpaError {
  return new VdpaError(code, message, details);
}
