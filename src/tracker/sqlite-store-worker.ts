import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import type { VdpaError } from '../errors.js';
import { SqliteDatabase } from './sqlite-database.js';
import { storeError } from './sqlite-error.js';
import type { Answer, ErrorFacts, Question, Setup } from './sqlite-store-messages.js';
import { StoreLock } from './store-lock.js';
import { assertWritable, storePath } from './store-path.js';

// The thread that owns the store. It answers questions in their order; commits that wait together
// are made durable together.

type Commit = Extract<Question, { kind: 'commit' }>;

/** A store that is open, until a commit fails in a way that leaves its content in doubt. */
class Owner {
  readonly #port: MessagePort;
  readonly #database: SqliteDatabase;
  readonly #lock: StoreLock;
  #doubt: ErrorFacts | null = null;

  constructor(port: MessagePort, database: SqliteDatabase, lock: StoreLock) {
    this.#port = port;
    this.#database = database;
    this.#lock = lock;
  }

  answer(questions: readonly Question[]): void {
    const answers: Answer[] = [];
    let commits: Commit[] = [];
    const commitAll = (): void => {
      if (commits.length > 0) answers.push(...this.#commit(commits));
      commits = [];
    };
    for (const question of questions) {
      if (question.kind === 'commit') {
        commits.push(question);
        continue;
      }
      commitAll();
      if (question.kind === 'changes') answers.push(this.#changes(question.id, question.from));
    }
    commitAll();
    this.#port.postMessage(answers);
    if (questions.at(-1)?.kind === 'close') this.#close();
  }

  /** One transaction for all. */
  #commit(commits: readonly Commit[]): Answer[] {
    if (this.#doubt !== null) return this.#refuse(commits, this.#doubt);
    try {
      const results = this.#database.commit(commits.flatMap(({ changes }) => changes));
      let at = 0;
      return commits.map(({ id, changes }) => {
        const from = at;
        at += changes.length;
        return { id, results: results.slice(from, at) };
      });
    } catch (error) {
      const facts = factsOf(error as VdpaError);
      if (facts.outcome !== 'unchanged') this.#doubt = facts;
      return this.#refuse(commits, facts);
    }
  }

  #refuse(commits: readonly Commit[], error: ErrorFacts): Answer[] {
    return commits.map(({ id }) => ({ id, error }));
  }

  #changes(id: number, from: number): Answer {
    if (this.#doubt !== null) return { id, error: this.#doubt };
    try {
      return { id, changes: this.#database.changes(from) };
    } catch (error) {
      return { id, error: factsOf(error as VdpaError) };
    }
  }

  #close(): void {
    this.#database.close();
    this.#lock.release();
    this.#port.close();
  }
}

function factsOf(error: VdpaError): ErrorFacts {
  const { code, message, errno, step, outcome, retry } = error;
  return { code, message, errno, step, outcome, retry };
}

function run(port: MessagePort, { path }: Setup): void {
  let lock: StoreLock | undefined;
  try {
    const place = storePath(path);
    assertWritable(place);
    lock = StoreLock.take(place.file);
    // Once more: who had the lock may have made it.
    const database = SqliteDatabase.open(storePath(path));
    try {
      port.postMessage([{ id: 0, opened: database.read() }] satisfies Answer[]);
    } catch (error) {
      database.close();
      throw error;
    }
    const owner = new Owner(port, database, lock);
    port.on('message', (first: Question) => {
      const questions = [first];
      for (;;) {
        const next = receiveMessageOnPort(port);
        if (next === undefined) break;
        questions.push(next.message);
      }
      owner.answer(questions);
    });
  } catch (error) {
    lock?.release();
    port.postMessage([
      { id: 0, error: factsOf(storeError(error, path, 'open')) },
    ] satisfies Answer[]);
  }
}

if (parentPort === null) throw new TypeError('this module runs in a worker thread');
run(parentPort, workerData);
