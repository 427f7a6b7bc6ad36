import { configOption } from '../claim-options.js';
import type { Command } from '../command.js';
import { lineLogger } from '../line-logger.js';

export const command: Command = {
  name: 'agent',
  summary: 'own the store, follow the host, and answer the other commands',
  usage: 'agent',
  description: [
    'Owns the store of claims, keeps its records in line with the host, and answers on the socket beside',
    'it, until it is ended by SIGTERM or SIGINT: then it finishes what is under way. Tells systemd when',
    'it is ready (Type=notify). Needs root, or whoever may read the store and follow the kernel. With',
    '--json what it logs is JSON.',
  ].join('\n'),
  options: configOption,
  positionals: { min: 0, max: 0, what: 'no argument' },

  async run({ serve, signal, json, log, now }) {
    const logger = lineLogger(log, json, now);
    await serve({
      signal,
      logger,
      ready: (socket) => logger.info({ socket }, 'ready: answering'),
    });
    logger.info({}, 'ended');
    return 0;
  },
};
