/** What this agent itself refuses or fails with; the library's errors have codes of their own. */
export type AgentErrorCode =
  | 'AGENT_UNREACHABLE'
  | 'ARGUMENTS_INVALID'
  | 'CONFIGURATION_INVALID'
  | 'DEFINITION_INVALID'
  | 'GUEST_ENDED'
  | 'GUEST_RUNS_HERE'
  | 'INSTANCE_EXISTS'
  | 'INSTANCE_UNKNOWN'
  | 'MONITOR_LOST'
  | 'MONITOR_REFUSED'
  | 'NO_ROOM'
  | 'TIMEOUT'
  | 'TRANSFER_FAILED'
  | 'VERB_UNKNOWN'
  | 'WRONG_PHASE';

export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** What another agent has answered: its own error, or that of its library. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError';
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** An error as it is answered on the socket. */
export interface ToldError {
  readonly code: string;
  readonly message: string;
}

export function toldError(error: unknown): ToldError {
  if (!(error instanceof Error)) return { code: 'DEFECT', message: String(error) };
  const { message } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'DEFECT';
  return { code, message };
}
