import type { DeviceConfig, VdpaDevice } from '../../index.js';
import { type Answer, functionOf, type ShowResult } from '../show-result.js';
import { type Document, schemaVersion } from './document.js';
import { type ErrorBody, errorBody } from './error-document.js';
import { deviceConfigJson, functionJson, managementDeviceJson } from './host-json.js';

interface ShownDevice extends VdpaDevice {
  /** Null when it could not be asked; `configError` says why. */
  readonly config: ReturnType<typeof deviceConfigJson> | null;
  readonly configError: ErrorBody | null;
}

interface ShownOverride {
  /** Null when there is none, or when `driverOverrideError` says why it could not be asked. */
  readonly driverOverride: string | null;
  readonly driverOverrideError: ErrorBody | null;
}

export interface ShowDocument extends Document<'show'> {
  readonly query: string;
  readonly devices: readonly ShownDevice[];
  readonly functions: readonly (ReturnType<typeof functionJson> & ShownOverride)[];
  readonly managementDevices: readonly ReturnType<typeof managementDeviceJson>[];
}

export function showDocument(result: ShowResult): ShowDocument {
  const { query, devices, functions, managementDevices, configs, overrides } = result;
  return {
    schemaVersion,
    kind: 'show',
    query,
    devices: devices.map((device) => ({ ...device, ...configOf(configs.get(device.name)) })),
    functions: functions.map((branch) => ({
      ...functionJson(branch),
      ...overrideOf(overrides.get(functionOf(branch).address)),
    })),
    managementDevices: managementDevices.map(managementDeviceJson),
  };
}

function configOf(answer: Answer<DeviceConfig> | undefined) {
  return {
    config: answer?.value ? deviceConfigJson(answer.value) : null,
    configError: answer?.error ? errorBody(answer.error) : null,
  };
}

function overrideOf(answer: Answer<string | null> | undefined): ShownOverride {
  return {
    driverOverride: answer?.value ?? null,
    driverOverrideError: answer?.error ? errorBody(answer.error) : null,
  };
}
