import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { VdpaError } from '../../../src/errors.js';
import { openDesk, ownerSocketPath } from '../../../src/lifecycle/open-desk.js';
import { OwnerClient } from '../../../src/lifecycle/owner-client.js';
import { OwnerSocket } from '../../../src/lifecycle/owner-socket.js';
import { deskOf } from '../../support/tracker-desk.mjs';
import { card } from '../tracker/support/devices.js';
import { trackerOf } from '../tracker/support/hosts.js';
import { Folder } from './support/owner.js';

async function local() {
  return deskOf(await trackerOf(card('06', 4)));
}

function locked(): Promise<never> {
  return Promise.reject(
    new VdpaError('STORE_LOCKED', 'the store s belongs to process 7', {
      retry: 'later',
      step: 's',
    }),
  );
}

/** A store's path in a folder of its own. */
function place(): { store: string } & Disposable {
  const folder = new Folder();
  return { store: `${folder.path}/store`, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

describe('the desk of a store', () => {
  test('is in this process when nobody has it', async () => {
    using at = place();
    const own = await local();
    await using desk = await openDesk(at.store, async () => own);
    expect(desk).toBe(own);
  });

  test('is its owner, which is not asked for the lock', async () => {
    using at = place();
    await using own = await local();
    await using socket = await OwnerSocket.listen(ownerSocketPath(at.store), own);
    let opened = false;
    await using desk = await openDesk(at.store, () => {
      opened = true;
      return locked();
    });
    expect(desk).toBeInstanceOf(OwnerClient);
    expect(await desk.records()).toHaveLength(5);
    expect(opened).toBe(false);
    expect(socket.path).toBe(`${at.store}.sock`);
  });

  test('is waited for while its owner is starting', async () => {
    using at = place();
    await using own = await local();
    let tried = 0;
    let listening: Promise<OwnerSocket> | undefined;
    const desk = await openDesk(at.store, () => {
      tried += 1;
      if (tried === 2) listening = OwnerSocket.listen(ownerSocketPath(at.store), own);
      return locked();
    });
    await using socket = await listening;
    expect(socket).toBeDefined();
    expect(await desk.records()).toHaveLength(5);
    await desk[Symbol.asyncDispose]();
  });

  test('is waited for while its owner is ending', async () => {
    using at = place();
    const own = await local();
    let tried = 0;
    await using desk = await openDesk(at.store, async () => (++tried < 3 ? locked() : own));
    expect(desk).toBe(own);
  });

  test('is nobody when who has it does not listen', async () => {
    using at = place();
    await expect(openDesk(at.store, locked, { patienceMs: 100 })).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      retry: 'later',
      message: expect.stringMatching(
        /^the store s belongs to process 7; nobody listens at .*\.sock/,
      ),
    });
  });

  test('is nobody when opening the store fails otherwise', async () => {
    using at = place();
    writeFileSync(ownerSocketPath(at.store), 'no socket');
    let tried = 0;
    const full = new VdpaError('STORE_FULL', 'no room');
    const failing = (): Promise<never> => {
      tried += 1;
      return Promise.reject(full);
    };
    await expect(openDesk(at.store, failing)).rejects.toBe(full);
    expect(tried).toBe(1);
  });

  test('is not waited for after an abort', async () => {
    using at = place();
    const abort = new AbortController();
    const opening = openDesk(at.store, locked, { signal: abort.signal, patienceMs: 1e6 });
    await sleep(10);
    abort.abort('why');
    await expect(opening).rejects.toBe('why');
  });
});

test.each([
  [{ timeoutMs: 0 }, 'timeoutMs: is no whole number from 1'],
  [{ patienceMs: '5' }, 'patienceMs: is no whole number from 0'],
  [{ signal: {} }, 'signal: is no AbortSignal'],
  [{ patience: 5 }, 'patience: is no key of it'],
  [null, 'is no object'],
])('options that are none are refused before anything is asked: %j', async (options, words) => {
  using at = place();
  const never = () => Promise.reject(new Error('opened'));
  await expect(openDesk(at.store, never, options as never)).rejects.toThrow(
    new TypeError(`openDesk: ${words}`),
  );
  if (options !== null && 'patienceMs' in options) return;
  await expect(OwnerClient.connect(`${at.store}.sock`, options as never)).rejects.toThrow(
    new TypeError(`OwnerClient: ${words}`),
  );
});
