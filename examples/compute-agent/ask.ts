import { AgentError, toldError } from './agent-error.js';
import { ask } from './client.js';

/** node ask.js SOCKET VERB [ARGUMENTS]: asks an agent, and prints what it answers. */
const [socket = '', verb = '', given = '{}'] = process.argv.slice(2);
try {
  if (socket === '' || verb === '') {
    throw new AgentError('ARGUMENTS_INVALID', 'usage: node ask.js SOCKET VERB [ARGUMENTS]');
  }
  const value = await ask(socket, verb, parsed(given));
  console.log(JSON.stringify(value, null, 2));
} catch (error) {
  const { code, message } = toldError(error);
  console.error(`${code}: ${message}`);
  process.exitCode = 1;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AgentError('ARGUMENTS_INVALID', `${text}: ${cause}`, { cause });
  }
}
