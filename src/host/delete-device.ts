import { Change, unlessAborted } from './change.js';
import type { ChangeOptions, Connection } from './connection.js';
import type { VdpaName } from './device-id.js';
import { runHelper } from './helper.js';

/** Deletes a device in a process of its own, unless somebody uses it. */
export async function deleteDevice(
  connection: Connection,
  name: VdpaName,
  force: boolean,
  options: ChangeOptions | undefined,
): Promise<void> {
  const { signal, timeoutMs } = new Change(connection, options);
  const task = { what: `delete ${name}`, verb: 'delete', words: [name] } as const;
  await unlessAborted(() => runHelper({ ...task, force, timeoutMs }), signal);
}
