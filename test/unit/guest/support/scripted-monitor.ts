import { once } from 'node:events';
import { linkSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Asked {
  readonly execute: string;
  /** Absent where there are none. */
  readonly arguments?: Readonly<Record<string, unknown>>;
  readonly id: number;
}

const greeting = {
  QMP: { version: { qemu: { micro: 22, minor: 2, major: 7 }, package: 'x' }, capabilities: [] },
};

/**
 * Speaks QMP as a script says: for what QEMU itself cannot be made to do. What the script answers nothing
 * to is not answered.
 */
export class ScriptedMonitor implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'vdpa-host-qmp-'));
  readonly asked: Asked[] = [];
  /** So far. */
  connections = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #answer: (asked: Asked, monitor: ScriptedMonitor) => unknown;

  static async start(
    answer: (asked: Asked, monitor: ScriptedMonitor) => unknown,
    greets: unknown = greeting,
  ): Promise<ScriptedMonitor> {
    const monitor = new ScriptedMonitor(answer, greets);
    monitor.#server.listen(monitor.path('vm1'));
    await once(monitor.#server, 'listening');
    return monitor;
  }

  private constructor(
    answer: (asked: Asked, monitor: ScriptedMonitor) => unknown,
    greets: unknown,
  ) {
    this.#answer = answer;
    this.#server = createServer((socket) => {
      this.connections++;
      this.#sockets.add(socket);
      socket.on('error', () => {});
      this.say(greets);
      createInterface({ input: socket }).on('line', (line) => {
        const asked: Asked = JSON.parse(line);
        this.asked.push(asked);
        if (asked.execute === 'qmp_capabilities') return this.return(asked);
        const value = this.#answer(asked, this);
        if (value !== undefined) this.return(asked, value);
      });
    });
  }

  path(guest: string): string {
    return join(this.folder, `${guest}.qmp`);
  }

  get template(): string {
    return this.path('{guest}');
  }

  return({ id }: Asked, value: unknown = {}): void {
    this.say({ return: value, id });
  }

  refuse({ id }: Asked, description: string, errorClass = 'GenericError'): void {
    this.say({ error: { class: errorClass, desc: description }, id });
  }

  event(event: string, data: object): void {
    this.say({ event, data, timestamp: { seconds: 1, microseconds: 0 } });
  }

  say(message: unknown): void {
    this.bytes(`${JSON.stringify(message)}\r\n`);
  }

  bytes(text: string): void {
    for (const socket of this.#sockets) socket.write(text);
  }

  /** Ends the connections, and goes on listening. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** Ends as QEMU does when it is killed: what it listened on stays, and nobody listens any more. */
  async end(): Promise<void> {
    const kept = `${this.path('vm1')}.kept`;
    linkSync(this.path('vm1'), kept); // Node takes the name away
    const closed = once(this.#server, 'close');
    this.#server.close();
    renameSync(kept, this.path('vm1'));
    this.hangUp();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.hangUp();
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, 'close');
    }
    rmSync(this.folder, { recursive: true });
  }
}
