import { VdpaError } from '../errors.js';

/** Calls the network backend: whatever it throws, the caller gets an error of the library's. */
export async function networkCall(call: () => Promise<void>): Promise<void> {
  try {
    await call();
  } catch (error) {
    if (error instanceof VdpaError) throw error;
    throw new VdpaError(
      'NETWORK_BACKEND_FAILED',
      `the network backend failed: ${error instanceof Error ? error.message : error}`,
      { outcome: 'unknown', retry: 'later', cause: error },
    );
  }
}
