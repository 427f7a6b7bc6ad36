import type { PortId } from 'vdpa-host';
import type { MigrationOffer } from 'vdpa-host/lifecycle';
import { z } from 'zod';
import type { ComputeAgent } from './agent.js';
import { AgentError } from './agent-error.js';
import { instanceId, migrationId } from './definition.js';
import { network, port, requestsOf } from './ports.js';

const numaCells = z.array(z.int().nonnegative()).nullable().default(null);
const portId = z
  .string()
  .min(1)
  .transform((text) => text as PortId);
/** Its names are looked at here, since they stand in paths; the rest by the library. */
const offer = z
  .looseObject({ instance: instanceId, migration: migrationId })
  .transform((given) => given as unknown as MigrationOffer);

const ofInstance = z.strictObject({ instance: instanceId });

type Answer = (agent: ComputeAgent, given: unknown) => Promise<unknown>;

/** @throws {AgentError} `ARGUMENTS_INVALID`, naming every key that is wrong */
function verb<Form extends z.ZodType>(
  form: Form,
  work: (agent: ComputeAgent, given: z.output<Form>) => Promise<unknown>,
): Answer {
  return async (agent, given) => {
    const { success, data, error } = form.safeParse(given);
    if (!success) throw new AgentError('ARGUMENTS_INVALID', z.prettifyError(error));
    return await work(agent, data);
  };
}

const answers: Readonly<Record<string, Answer>> = {
  list: verb(z.strictObject({}), (agent) => agent.list()),
  boot: verb(
    z.strictObject({
      instance: instanceId,
      ports: z.array(port),
      networks: z.array(network),
      numaCells,
    }),
    (agent, { instance, ports, networks, numaCells }) =>
      agent.boot(instance, requestsOf(ports, networks), numaCells),
  ),
  attach: verb(
    z.strictObject({ instance: instanceId, port, network }),
    async (agent, { instance, port, network }) => {
      const [request] = requestsOf([port], [network]);
      if (request === undefined) throw new Error(`port ${port.id} asks for nothing`);
      return await agent.attach(instance, { ...request, portId: portId.parse(port.id) });
    },
  ),
  detach: verb(
    z.strictObject({ instance: instanceId, port: portId }),
    (agent, { instance, port }) => agent.detach(instance, port),
  ),
  suspend: verb(ofInstance, (agent, { instance }) => agent.suspend(instance)),
  resume: verb(ofInstance, (agent, { instance }) => agent.resume(instance)),
  stop: verb(ofInstance, (agent, { instance }) => agent.stop(instance)),
  start: verb(ofInstance, (agent, { instance }) => agent.start(instance)),
  delete: verb(ofInstance, (agent, { instance }) => agent.delete(instance)),
  settle: verb(ofInstance, (agent, { instance }) => agent.settle(instance)),
  migrate: verb(
    z.strictObject({ instance: instanceId, to: z.string().startsWith('/'), numaCells }),
    (agent, { instance, to, numaCells }) => agent.migrate(instance, to, numaCells),
  ),
  // What the agents ask each other.
  check: verb(z.strictObject({ offer, numaCells }), (agent, { offer, numaCells }) =>
    agent.check(offer, numaCells),
  ),
  prepare: verb(z.strictObject({ offer, numaCells }), (agent, { offer, numaCells }) =>
    agent.prepare(offer, numaCells),
  ),
  complete: verb(ofInstance, (agent, { instance }) => agent.complete(instance)),
  arrived: verb(ofInstance, (agent, { instance }) => agent.arrived(instance)),
  abort: verb(
    z.strictObject({ instance: instanceId, migration: migrationId }),
    (agent, { instance, migration }) => agent.abort(instance, migration),
  ),
};

/** @throws {AgentError} `VERB_UNKNOWN`, `ARGUMENTS_INVALID`, and what the agent throws */
export async function answerVerb(
  agent: ComputeAgent,
  name: string,
  given: unknown,
): Promise<unknown> {
  const answer = Object.hasOwn(answers, name) ? answers[name] : undefined;
  if (answer !== undefined) return await answer(agent, given);
  const known = Object.keys(answers).join(', ');
  throw new AgentError('VERB_UNKNOWN', `there is no verb ${JSON.stringify(name)}, but ${known}`);
}
