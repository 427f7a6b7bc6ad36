import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { GuestKeeper } from '../../../src/lifecycle/guest-keeper.js';
import type { RecoveredClaim } from '../../../src/lifecycle/recover-claims.js';
import type { Logger } from '../../../src/logger.js';
import type { ClaimId } from '../../../src/tracker/claim.js';
import { claimId } from '../tracker/support/devices.js';

const of: Record<string, ClaimId[]> = { 'qmp:/a': [claimId('c1'), claimId('c2')], 'qmp:/b': [] };

/** A keeper of guests that are asked for their claims, each look answered by hand. */
function keeping() {
  const asked: (readonly ClaimId[])[] = [];
  const answers: ((recovered: RecoveredClaim[]) => void)[] = [];
  const said: [string, object][] = [];
  const log = (level: string) => (fields: object) => void said.push([level, fields]);
  const logger = { info: log('info'), warn: log('warn'), error: log('error') } as Logger;
  const keeper = new GuestKeeper(
    {
      claimsIn: (guest) => (guest === null ? Object.values(of).flat() : (of[guest] ?? [])),
      recover: async ({ claims = [], signal }) => {
        asked.push(claims);
        return await new Promise((answer, fail) => {
          answers.push(answer);
          signal?.addEventListener('abort', () => fail(signal.reason));
        });
      },
    },
    logger,
  );
  const turn = () => new Promise((done) => setImmediate(done));
  return { keeper, asked, answers, said, turn };
}

const recovered = (state: RecoveredClaim['state'], error: VdpaError | null = null) => ({
  claim: claimId('c1'),
  guest: 'qmp:/a',
  state,
  error,
});

describe('the keeper of claims and guests', () => {
  test('looks at the claims of the guest that an event is about, and at all when any may be', async () => {
    const { keeper, asked, answers, said, turn } = keeping();
    keeper.take('qmp:/b', 'interface-gone');
    keeper.take('qmp:/a', 'unplug-refused');
    await turn();
    expect(asked).toEqual([]);
    keeper.take('qmp:/a', 'interface-gone');
    keeper.take(null, 'resync');
    await turn();
    expect(asked).toEqual([of['qmp:/a'], of['qmp:/a']]);
    for (const answer of answers.splice(0)) answer([recovered('left')]);
    await turn();
    expect(said).toMatchObject([
      ['info', { claim: 'c1', state: 'left' }],
      ['info', { claim: 'c1', state: 'left' }],
    ]);
    await keeper.close();
  });

  test('looks once more for all that came while it looked', async () => {
    const { keeper, asked, answers, turn } = keeping();
    keeper.take('qmp:/a', 'guest-gone');
    await turn();
    for (let more = 0; more < 3; more++) keeper.take('qmp:/a', 'interface-gone');
    await turn();
    expect(asked).toHaveLength(1);
    answers.pop()?.([recovered('in-guest')]);
    await turn();
    expect(asked).toHaveLength(2);
    answers.pop()?.([]);
    await turn();
    await turn();
    expect(asked).toHaveLength(2);
    await keeper.close();
  });

  test('asks a guest that does not answer again, until it is closed', async () => {
    const { keeper, asked, answers, said, turn } = keeping();
    keeper.start();
    await turn();
    answers.pop()?.([recovered('unknown', new VdpaError('GUEST_TIMEOUT', 'silent'))]);
    await turn();
    expect(said).toMatchObject([['warn', { state: 'unknown', err: { code: 'GUEST_TIMEOUT' } }]]);
    await keeper.close();
    keeper.take('qmp:/a', 'interface-gone');
    await turn();
    expect(asked).toHaveLength(1);
    expect(said).toHaveLength(1);
  });

  test('ends a look that is under way when it is closed', async () => {
    const { keeper, said, turn } = keeping();
    keeper.start();
    await turn();
    await keeper.close();
    expect(said).toEqual([]);
  });
});
