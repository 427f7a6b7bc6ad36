import type { DeviceRequest, RequestId } from '../../src/policy/device-request.js';

let requests = 0;

/** For vDPA devices of any network, under an id of its own. */
export function vdpaRequest(count = 1, fields: Partial<DeviceRequest> = {}): DeviceRequest {
  requests += 1;
  return {
    requestId: `request-${requests}` as RequestId,
    count,
    spec: [{ dev_type: 'vdpa' }],
    numaPolicy: null,
    alias: null,
    portId: null,
    ...fields,
  };
}
