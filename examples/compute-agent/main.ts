import { once } from 'node:events';
import { ComputeAgent } from './agent.js';
import { AgentError, toldError } from './agent-error.js';
import { readConfiguration } from './configuration.js';
import { Log } from './log.js';
import { Server } from './server.js';
import { answerVerb } from './verbs.js';

/** node main.js CONFIG: an agent that runs until SIGTERM or SIGINT. */
async function main(file: string): Promise<void> {
  if (file === '') throw new AgentError('CONFIGURATION_INVALID', 'usage: node main.js CONFIG');
  const stop = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop.abort());
  const configuration = await readConfiguration(file);
  const log = new Log(configuration.host);
  const agent = await ComputeAgent.start(configuration, log);
  try {
    const { socket } = configuration;
    const server = await Server.listen(
      socket,
      (verb, given) => answerVerb(agent, verb, given),
      log,
    );
    log.info({ socket }, 'ready');
    if (!stop.signal.aborted) await once(stop.signal, 'abort');
    log.info({}, 'stopping');
    await server.close();
  } finally {
    await agent.close();
  }
}

try {
  await main(process.argv[2] ?? '');
} catch (error) {
  new Log('').error({ ...toldError(error), error }, 'ended');
  process.exitCode = 1;
}
