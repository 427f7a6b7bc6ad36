// What changes a host, as one module that is loaded at the first change.
export { bindDriver } from './bind-driver.js';
export { assertChangeable, Change } from './change.js';
export { createDevice } from './create-device.js';
export { deleteDevice } from './delete-device.js';
export { enableVfs } from './enable-vfs.js';
export { parseCreateRequest } from './parse-create-request.js';
export { parseDeclaration } from './parse-declaration.js';
export { provision } from './provision.js';
export { setMac } from './set-mac.js';
