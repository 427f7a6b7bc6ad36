import { VdpaError } from '../errors.js';
import { accountsOf } from './accounts.js';
import type { ChangeOptions } from './connection.js';
import type { WantedPf } from './parse-declaration.js';
import { Execution, type Failure, type ProvisionedHost } from './provision-execution.js';
import { placeOf, planOf } from './provision-plan.js';
import { type ProvisionReport, provisionedNodes, reportedStep } from './provision-report.js';
import { provisionState } from './provision-state.js';
import { wishesOf } from './provision-wishes.js';

export interface ProvisionOptions extends ChangeOptions {
  /** Change nothing, and report what would be done. Default false. */
  readonly check?: boolean | undefined;
}

/**
 * Brings the host to what is declared, step by step, each by the host's own safe call.
 *
 * @param timeoutMs of each step
 */
export async function provision(
  host: ProvisionedHost,
  declared: readonly WantedPf[],
  timeoutMs: number,
  { check = false, signal }: ProvisionOptions,
): Promise<ProvisionReport> {
  const accounts = await accountsOf(declared, signal);
  const look = async () => {
    const inventory = await host.inventory({ signal });
    const wishes = wishesOf(declared, inventory, accounts);
    const state = await provisionState(host, inventory, wishes, signal);
    const plan = planOf(wishes, state);
    return { ...plan, inventory, nodes: provisionedNodes(wishes, inventory), wishes };
  };
  const before = await look();
  const steps = before.steps.map(reportedStep);
  if (check) return { check, steps, obstacles: before.obstacles, nodes: before.nodes };

  const execution = new Execution(host, before.inventory, before.wishes, { signal, timeoutMs });
  await execution.run(before.steps);
  // What a driver made otherwise than it was told shows only when it is looked at again.
  const after = before.steps.length === 0 ? before : await look();
  const undone = execution.failures.concat(
    after.obstacles.filter((obstacle) => !execution.hasFailed(obstacle)),
    after.steps
      .map(reportedStep)
      .filter((step) => !execution.hasFailed(step))
      .map(({ pf, vf, text }) => ({ pf, vf, text: `still to do after it was done: ${text}` })),
  );
  if (undone.length > 0) throw incomplete(execution, undone);
  return { check, steps, obstacles: [], nodes: after.nodes };
}

function incomplete({ done, failures, outcome }: Execution, undone: readonly Failure[]): VdpaError {
  const later = failures.length > 0 && failures.every(({ error }) => error?.retry === 'later');
  return new VdpaError(
    'PROVISION_INCOMPLETE',
    `provision: not all is as declared: done ${done}, not done ${undone.length}`,
    {
      outcome,
      retry: later && failures.length === undone.length ? 'later' : 'after-fix',
      leftovers: undone.map(({ text, ...place }) => `${placeOf(place)}: ${text}`),
      cause: failures[0]?.error,
    },
  );
}
