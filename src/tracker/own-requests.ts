import type { DeviceRequest } from '../policy/device-request.js';

/**
 * A copy that is the claim's own.
 *
 * @throws {TypeError} when the requests are none that a claim can be made of
 */
export function ownRequests(requests: readonly DeviceRequest[]): DeviceRequest[] {
  assertRequests(requests);
  return requests.map(({ requestId, count, spec, numaPolicy, alias, portId, mac, deviceIds }) => ({
    requestId,
    count,
    spec: spec.map((one) => ({ ...one })),
    numaPolicy: numaPolicy ?? null,
    alias: alias ?? null,
    portId: portId ?? null,
    ...(mac !== undefined && { mac }),
    ...(deviceIds !== undefined && deviceIds.length > 0 && { deviceIds: [...deviceIds] }),
  }));
}

/** @throws {TypeError} as `ownRequests` */
export function assertRequests(requests: readonly DeviceRequest[]): void {
  for (const { requestId, count, spec, deviceIds = [] } of requests) {
    if (!Number.isSafeInteger(count) || count < 1) {
      throw new TypeError(`request ${requestId}: ${count} is no number of devices`);
    }
    if (spec.length === 0) throw new TypeError(`request ${requestId} says of no device what it is`);
    if (deviceIds.length > count) {
      throw new TypeError(
        `request ${requestId} names ${deviceIds.length} devices and asks for ${count}`,
      );
    }
  }
  const ids = new Set(requests.map(({ requestId }) => requestId));
  if (ids.size < requests.length) throw new TypeError('two requests have the same id');
}
