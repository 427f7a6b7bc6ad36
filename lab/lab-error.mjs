// SPDX-License-Identifier: Apache-2.0
// @ts-check

/** A failure of the lab itself, not of the command in it. The message is for people. */
export class LabError extends Error {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super(message, options);
    this.name = 'LabError';
  }
}
