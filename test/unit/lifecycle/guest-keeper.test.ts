import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { GuestKeeper } from '../../../src/lifecycle/guest-keeper.js';
import type { RecoveredClaim } from '../../../src/lifecycle/recover-claims.js';
import type { Logger } from '../../../src/logger.js';
import type { ClaimId } from '../../../src/tracker/claim.js';
import { claimId } from '../tracker/support/devices.js';

const [a1, a2, b1] = [claimId('a1'), claimId('a2'), claimId('b1')];
const of: Record<string, ClaimId[]> = { 'qmp:/a': [a1, a2], 'qmp:/b': [b1], 'qmp:/c': [] };

/** A keeper of guests, and what it asks and says. */
function keeping() {
  const asked: (readonly ClaimId[])[] = [];
  const unanswered = new Set<ClaimId>();
  const said: [string, object][] = [];
  const log = (level: string) => (fields: object) => void said.push([level, fields]);
  const logger = { info: log('info'), warn: log('warn'), error: log('error') } as Logger;
  const keeper = new GuestKeeper(
    {
      claimsIn: (guest, begun) => {
        const all = guest === null ? Object.values(of).flat() : (of[guest] ?? []);
        return begun ? [...all, claimId('begun')] : all;
      },
      recover: async ({ claims = [] }) => {
        asked.push(claims);
        return claims.map((claim): RecoveredClaim => {
          const isSilent = unanswered.has(claim);
          const error = isSilent ? new VdpaError('GUEST_TIMEOUT', 'silent') : null;
          return { claim, guest: '-', state: isSilent ? 'unknown' : 'left', error };
        });
      },
    },
    logger,
  );
  const next = () => asked.splice(0);
  return { keeper, unanswered, said, next };
}

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const passed = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

describe('the keeper of claims and guests', () => {
  test('looks at the claims of the guest that an event is about, and at all when any may be', async () => {
    const { keeper, said, next } = keeping();
    keeper.take('qmp:/c', 'interface-gone');
    keeper.take('qmp:/a', 'unplug-refused');
    await passed();
    expect(next()).toEqual([]);
    keeper.take('qmp:/b', 'guest-gone');
    await passed();
    expect(next()).toEqual([[b1]]);
    expect(said).toMatchObject([['info', { claim: b1, state: 'left' }]]);
    keeper.take(null, 'resync');
    await passed();
    expect(next()).toEqual([[a1, a2, b1]]);
    // What is being attached is its own call's to finish.
    keeper.start();
    await passed();
    expect(next()).toEqual([[a1, a2, b1, 'begun']]);
    await keeper.close();
  });

  test('asks those that do not answer again, later and later, until it is closed', async () => {
    const { keeper, unanswered, said, next } = keeping();
    unanswered.add(a2);
    keeper.take('qmp:/a', 'interface-gone');
    await passed();
    expect(next()).toEqual([[a1, a2]]);
    await passed(4_999);
    expect(next()).toEqual([]);
    await passed(1);
    expect(next()).toEqual([[a2]]);
    await passed(9_999);
    expect(next()).toEqual([]);
    await passed(1);
    expect(next()).toEqual([[a2]]);
    await passed(600_000);
    expect(next().length).toBeGreaterThan(9);
    expect(said.filter(([level]) => level === 'warn')).toHaveLength(1);
    await keeper.close();
    keeper.take('qmp:/a', 'interface-gone');
    await passed(600_000);
    expect(next()).toEqual([]);
  });

  test('looks at all anew, and at once, when something happens while one does not answer', async () => {
    const { keeper, unanswered, next } = keeping();
    unanswered.add(a2);
    keeper.take(null, 'resync');
    await passed(100_000);
    next();
    keeper.take(null, 'resync');
    await passed();
    expect(next()).toEqual([[a2, a1, b1]]);
    unanswered.clear();
    await passed(5_000);
    expect(next()).toEqual([[a2]]);
    await passed(600_000);
    expect(next()).toEqual([]);
    await keeper.close();
  });
});
