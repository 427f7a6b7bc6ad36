// What changes a host, as one module that is loaded at the first change.
export { bindDriver } from './bind-driver.js';
export { assertChangeable, Change, unlessAborted } from './change.js';
export { createDevice } from './create-device.js';
export { enableVfs } from './enable-vfs.js';
export { runHelper } from './helper.js';
export { isDeviceMac } from './mac-address.js';
export { parseCreateRequest } from './parse-create-request.js';
export { parseDeclaration } from './parse-declaration.js';
export { provision } from './provision.js';
