import { Change } from './change.js';
import type { ChangeOptions, Connection } from './connection.js';
import type { VdpaName } from './device-id.js';
import { isDeviceMac } from './mac-address.js';

/** Gives a network device another MAC. */
export async function setMac(
  connection: Connection,
  name: VdpaName,
  mac: string,
  options: ChangeOptions | undefined,
): Promise<void> {
  if (!isDeviceMac(mac)) {
    throw new TypeError(`${JSON.stringify(mac)} is no unicast MAC: expected 02:00:00:00:00:01`);
  }
  const { signal, timeoutMs } = new Change(connection, options);
  await connection.call(`MAC of ${name}`, (native, ms) => native.setMac(name, mac, ms), {
    signal,
    timeoutMs,
    changes: true,
  });
}
