import type { NetworkBackend, NetworkContext } from 'vdpa-host';
import type { Log } from './log.js';

type Port = Parameters<NetworkBackend['plug']>[0];

/** Tells what a real one would do: put the representor into the integration bridge, and take it out. */
export class LoggedNetwork implements NetworkBackend {
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  async plug(port: Port, { deviceId, representor, mac }: NetworkContext): Promise<void> {
    this.#log.info({ port, device: deviceId, representor, mac }, 'port plugged');
  }

  async unplug(port: Port, { deviceId, representor }: NetworkContext): Promise<void> {
    this.#log.info({ port, device: deviceId, representor }, 'port unplugged');
  }
}
