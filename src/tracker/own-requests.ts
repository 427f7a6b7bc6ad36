import type { DeviceRequest } from '../policy/device-request.js';
import { listOf, optional, shape, wrongIn } from './form.js';
import { deviceRequest } from './store-form.js';

const { numaPolicy, alias, portId } = deviceRequest;

/** As they are given: what is null may be left out. */
const givenRequests = listOf(
  shape<DeviceRequest>({
    ...deviceRequest,
    numaPolicy: optional(numaPolicy),
    alias: optional(alias),
    portId: optional(portId),
  }),
);

/**
 * A copy that is the claim's own.
 *
 * @throws {TypeError} when the requests are none that a claim can be made of
 */
export function ownRequests(requests: readonly DeviceRequest[]): DeviceRequest[] {
  assertRequests(requests);
  return requests.map(({ requestId, count, spec, numaPolicy, alias, portId, mac, deviceIds }) => {
    const own: Writable<DeviceRequest> = {
      requestId,
      count,
      spec: spec.map((one) => ({ ...one })),
      numaPolicy: numaPolicy ?? null,
      alias: alias ?? null,
      portId: portId ?? null,
    };
    if (mac !== undefined) own.mac = mac;
    if (deviceIds !== undefined && deviceIds.length > 0) own.deviceIds = [...deviceIds];
    return own;
  });
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** @throws {TypeError} as `ownRequests` */
export function assertRequests(requests: readonly DeviceRequest[]): void {
  const wrong = wrongIn(givenRequests, requests, true);
  if (wrong !== null) throw new TypeError(`requests: ${wrong}`);
  for (const { requestId, count, spec, deviceIds = [] } of requests) {
    if (spec.length === 0) throw new TypeError(`request ${requestId} says of no device what it is`);
    if (deviceIds.length > count) {
      throw new TypeError(
        `request ${requestId} names ${deviceIds.length} devices and asks for ${count}`,
      );
    }
  }
  if (requests.length < 2) return;
  const ids = new Set(requests.map(({ requestId }) => requestId));
  if (ids.size < requests.length) throw new TypeError('two requests have the same id');
}
