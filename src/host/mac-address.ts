/** Whether a device can have the address: six octets with colons, neither zero nor multicast. */
export function isDeviceMac(text: unknown): text is string {
  return (
    typeof text === 'string' &&
    /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(text) &&
    !/^[0:]+$/.test(text)
  );
}
