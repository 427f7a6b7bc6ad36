// SPDX-License-Identifier: Apache-2.0
// @ts-check

import { totalmem } from 'node:os';
import { LabError } from './lab-error.mjs';

/**
 * Refuse a size of the guest's memory that no machine here can have.
 * @param {number} mib
 * @param {number} least what the machine's kernel needs to reach the command
 */
export function checkMemory(mib, least) {
  const most = Math.floor(totalmem() / 2 ** 20);
  if (!Number.isInteger(mib) || mib < least || mib > most) {
    throw new LabError(`memory must be a whole number of MiB from ${least} to ${most}: ${mib}`);
  }
}
