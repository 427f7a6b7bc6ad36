import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import type { VdpaError } from '../errors.js';
import { type OwnedDatabase, ownDatabase } from './sqlite-ownership.js';
import type { Answer, ErrorFacts, Question, Setup } from './sqlite-store-messages.js';

// The thread that owns the store. It answers questions in their order; commits that wait together
// are made durable together.

type Commit = Extract<Question, { kind: 'commit' }>;

/** A store that is open, until a commit fails in a way that leaves its content in doubt. */
class Owner {
  readonly #port: MessagePort;
  readonly #owned: OwnedDatabase;
  #doubt: ErrorFacts | null = null;

  constructor(port: MessagePort, owned: OwnedDatabase) {
    this.#port = port;
    this.#owned = owned;
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
      const results = this.#owned.database.commit(commits.flatMap(({ changes }) => changes));
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
      return { id, changes: this.#owned.database.changes(from) };
    } catch (error) {
      return { id, error: factsOf(error as VdpaError) };
    }
  }

  #close(): void {
    this.#owned.close();
    this.#port.close();
  }
}

function factsOf(error: VdpaError): ErrorFacts {
  const { code, message, errno, step, outcome, retry } = error;
  return { code, message, errno, step, outcome, retry };
}

function run(port: MessagePort, { path }: Setup): void {
  const tell = (answers: readonly Answer[]): void => port.postMessage(answers);
  let owned: OwnedDatabase;
  try {
    owned = ownDatabase(path);
  } catch (error) {
    // With nobody listening, the thread ends.
    tell([{ id: 0, error: factsOf(error as VdpaError) }]);
    return;
  }
  tell([{ id: 0, opened: owned.opened }]);
  const owner = new Owner(port, owned);
  port.on('message', (first: readonly Question[]) => {
    const questions = [...first];
    for (;;) {
      const next = receiveMessageOnPort(port);
      if (next === undefined) break;
      questions.push(...next.message);
    }
    owner.answer(questions);
  });
}

if (parentPort === null) throw new TypeError('this module runs in a worker thread');
run(parentPort, workerData);
