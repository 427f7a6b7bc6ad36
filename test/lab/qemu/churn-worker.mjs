// @ts-check
// Deletes, adds and binds devices one after the other, for ever. Arguments: NAME=VF...
import { writeFileSync } from 'node:fs';

const { openNativeHost } = await import(`${process.cwd()}/dist/native.js`);
const native = openNativeHost('/');
const bare = { managementBus: 'pci', mac: null, mtu: null, maxVqPairs: null, features: null };
for (;;) {
  for (const argument of process.argv.slice(2)) {
    const [name = '', managementName = ''] = argument.split('=');
    await native.deleteDevice(name, 10_000);
    await native.addDevice({ ...bare, name, managementName }, 10_000);
    writeFileSync('/sys/bus/vdpa/drivers/vhost_vdpa/bind', name);
  }
}
