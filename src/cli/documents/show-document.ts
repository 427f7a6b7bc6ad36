import type { VdpaDevice } from '../../index.js';
import type { ConfigAnswer, ShowResult } from '../show-result.js';
import { type Document, schemaVersion } from './document.js';
import { type ErrorBody, errorBody } from './error-document.js';
import { deviceConfigJson, functionJson, managementDeviceJson } from './host-json.js';

interface ShownDevice extends VdpaDevice {
  /** Null when it could not be asked; `configError` says why. */
  readonly config: ReturnType<typeof deviceConfigJson> | null;
  readonly configError: ErrorBody | null;
}

export interface ShowDocument extends Document<'show'> {
  readonly query: string;
  readonly devices: readonly ShownDevice[];
  readonly functions: readonly ReturnType<typeof functionJson>[];
  readonly managementDevices: readonly ReturnType<typeof managementDeviceJson>[];
}

export function showDocument(result: ShowResult): ShowDocument {
  const { query, devices, functions, managementDevices, configs } = result;
  return {
    schemaVersion,
    kind: 'show',
    query,
    devices: devices.map((device) => ({ ...device, ...configOf(configs.get(device.name)) })),
    functions: functions.map(functionJson),
    managementDevices: managementDevices.map(managementDeviceJson),
  };
}

function configOf(answer: ConfigAnswer | undefined) {
  return {
    config: answer?.config ? deviceConfigJson(answer.config) : null,
    configError: answer?.error ? errorBody(answer.error) : null,
  };
}
