import { readdir } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import type { InstanceId } from '../tracker/claim.js';

const mark = '{guest}';

/** Where the guests' monitors listen: one path for all, with `{guest}` where the guest's id stands. */
export class MonitorPath {
  /** The folder in which there is an entry for each guest. */
  readonly #folder: string;
  readonly #before: string;
  readonly #after: string;
  /** Below that entry. */
  readonly #rest: string;

  /** @throws {TypeError} for a path that is not absolute, or has not exactly one `{guest}` */
  constructor(template: string) {
    const [before, after, ...more] = template.split(mark);
    if (!isAbsolute(template) || before === undefined || after === undefined || more.length > 0) {
      throw new TypeError(
        `monitor: expected an absolute path with one ${mark}, such as /run/guests/${mark}.qmp`,
      );
    }
    const slash = after.indexOf('/');
    this.#folder = before.endsWith('/') ? before : dirname(before);
    this.#before = before.slice(before.lastIndexOf('/') + 1);
    this.#after = slash < 0 ? after : after.slice(0, slash);
    this.#rest = slash < 0 ? '' : after.slice(slash);
  }

  /** @throws {TypeError} for an id that can be in no path */
  of(guest: InstanceId): string {
    const entry = `${this.#before}${guest}${this.#after}`;
    if (guest === '' || /[/\0]/.test(guest) || entry === '.' || entry === '..') {
      throw new TypeError(`${JSON.stringify(guest)} is no id of a guest`);
    }
    return join(this.#folder, entry) + this.#rest;
  }

  /** Guests whose monitors may be there, in order; none when there is no such folder. */
  async candidates(): Promise<InstanceId[]> {
    const entries = await readdir(this.#folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return entries
      .filter(
        (entry) =>
          entry.length > this.#before.length + this.#after.length &&
          entry.startsWith(this.#before) &&
          entry.endsWith(this.#after),
      )
      .map((entry) => entry.slice(this.#before.length, entry.length - this.#after.length))
      .toSorted() as InstanceId[];
  }
}
