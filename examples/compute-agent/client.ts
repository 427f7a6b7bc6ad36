import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { AgentError, RemoteError } from './agent-error.js';
import { linesOf } from './lines.js';

/** An agent that is being started again answers soon. */
const againMs = 100;

const answer = z.looseObject({
  value: z.unknown().optional(),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
});

export interface AskOptions {
  /** How long to wait for an agent that does not listen. Default: not at all. */
  readonly patienceMs?: number | undefined;
  /** How long it may take to answer. Default: for ever. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Asks an agent for one thing, on a connection of its own.
 *
 * @throws {RemoteError} what it answered
 * @throws {AgentError} `AGENT_UNREACHABLE`: it does not listen; or its answer was lost, and what was
 *   asked may have been done
 */
export async function ask(
  path: string,
  verb: string,
  given: unknown,
  { patienceMs = 0, timeoutMs }: AskOptions = {},
): Promise<unknown> {
  const socket = await connected(path, performance.now() + patienceMs);
  if (timeoutMs !== undefined) {
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer to ${verb} in time`)));
  }
  try {
    socket.write(`${JSON.stringify({ id: 1, verb, arguments: given })}\n`);
    for await (const line of linesOf(socket.setEncoding('utf8'))) {
      return answered(answer.parse(JSON.parse(line)));
    }
    throw new Error(`it ended before it answered ${verb}`);
  } catch (error) {
    throw error instanceof RemoteError ? error : unreachable(path, error);
  } finally {
    socket.destroy();
  }
}

function answered({ value, error }: z.infer<typeof answer>): unknown {
  if (error !== undefined) throw new RemoteError(error.code, error.message);
  return value;
}

async function connected(path: string, deadline: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ path });
    try {
      await once(socket, 'connect');
      return socket;
    } catch (error) {
      if (performance.now() >= deadline) throw unreachable(path, error);
    }
    await sleep(againMs);
  }
}

function unreachable(path: string, cause: unknown): AgentError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new AgentError('AGENT_UNREACHABLE', `the agent at ${path}: ${why}`, { cause });
}
