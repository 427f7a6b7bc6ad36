import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  workerData,
} from 'node:worker_threads';
import type { VdpaError } from '../errors.js';
import { type OwnedDatabase, ownDatabase } from './sqlite-ownership.js';
import type { Answer, Commits, ErrorFacts, Question, Setup } from './sqlite-store-messages.js';
import { unpackChanges } from './store-packing.js';

// The thread that owns the store. It answers questions in their order; commits that wait together
// are made durable together.

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
    let commits: Commits[] = [];
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
  #commit(commits: readonly Commits[]): Answer[] {
    const ids = commits.flatMap((commit) => commit.ids);
    if (this.#doubt !== null) return refusals(ids, this.#doubt);
    try {
      const results = this.#owned.database.commit(
        commits.flatMap(({ changes }) => unpackChanges(changes)),
      );
      const outcomes = results.map((result) =>
        result.committed ? result.revision : result.conflict,
      );
      return [{ ids, counts: commits.flatMap(({ counts }) => counts), outcomes }];
    } catch (error) {
      const facts = factsOf(error as VdpaError);
      if (facts.outcome !== 'unchanged') this.#doubt = facts;
      return refusals(ids, facts);
    }
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

function refusals(ids: readonly number[], error: ErrorFacts): Answer[] {
  return ids.map((id) => ({ id, error }));
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
