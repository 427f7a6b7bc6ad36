import type { Claim, ClaimId, DeviceId, PortId } from 'vdpa-host';

/** What an instance has for one of its ports. */
export interface PortDevice {
  readonly port: PortId;
  readonly claim: ClaimId;
  readonly device: DeviceId;
}

/** By the devices that claims still have: a request stays in its claim when its device was given back. */
export function portDevices(claims: readonly Claim[]): PortDevice[] {
  return claims.flatMap(({ id, requests, devices }) =>
    devices.flatMap(({ deviceId, requestId }) => {
      const port = requests.find((request) => request.requestId === requestId)?.portId;
      return port == null ? [] : [{ port, claim: id, device: deviceId }];
    }),
  );
}
