import { restated, VdpaError } from '../errors.js';
import type { FamilyListsRow, ManagementDeviceRow } from '../rows.js';
import { Change } from './change.js';
import type { ChangeOptions, Connection } from './connection.js';
import { whyImpossible } from './creation-limits.js';
import {
  type DeviceId,
  pciDeviceId,
  scalableFunctionDeviceId,
  softwareDeviceId,
} from './device-id.js';
import { deviceIdentity } from './device-identity.js';
import { deviceClasses } from './features.js';
import { runHelper } from './helper.js';
import { isScalableFunction, managementHandle } from './management-device.js';
import type { CreateRequest } from './parse-create-request.js';
import { isPciAddress } from './pci-address.js';
import type { ResolvedCharDevice, Resolver } from './resolver.js';

/**
 * Makes a device that can be used: acknowledged by the kernel, bound to vhost_vdpa, its node there.
 * When a step fails, or the signal comes, after the kernel has made it, it is deleted again.
 */
export async function createDevice(
  connection: Connection,
  resolver: Resolver,
  request: CreateRequest,
  options: ChangeOptions | undefined,
): Promise<ResolvedCharDevice> {
  const change = new Change(connection, options);
  const { signal } = change;
  const lists = await connection.call(
    `management device ${request.managementDevice}`,
    (native, ms) => native.familyLists(ms),
    { signal, timeoutMs: change.left },
  );
  const parent = parentIn(lists, request.managementDevice);
  const name = request.name ?? defaultName(connection, parent);
  const what = `create ${name}`;
  assertPossible(connection, lists, parent, name, request, what);
  const id = await idOf(connection, parent, name, change);
  signal?.throwIfAborted();

  await connection.call(
    what,
    (native, timeoutMs) =>
      native.addDevice(
        {
          name,
          managementBus: parent.bus,
          managementName: parent.name,
          mac: request.mac ?? null,
          mtu: request.mtu ?? null,
          maxVqPairs: request.maxVqPairs ?? null,
          features: request.features ?? null,
        },
        timeoutMs,
      ),
    // Without the signal: what the kernel is making can be undone only once it has answered.
    { timeoutMs: change.left, changes: true },
  );
  const made = { name, identity: deviceIdentity(name) };
  try {
    signal?.throwIfAborted();
    const usable = await makeUsable(resolver, id, made, change);
    signal?.throwIfAborted();
    return usable;
  } catch (reason) {
    await undo(made, reason, change);
    if (!(reason instanceof VdpaError)) throw reason;
    throw restated(reason, `${reason.message}; the new device has been deleted again`, {
      outcome: 'undone',
    });
  }
}

/** A device as the kernel has just made it, which is not any other of that name. */
interface Made {
  readonly name: string;
  /** Null when somebody has deleted it already. */
  readonly identity: bigint | null;
}

async function makeUsable(
  resolver: Resolver,
  id: DeviceId,
  made: Made,
  change: Change,
): Promise<ResolvedCharDevice> {
  const { name, identity } = made;
  // With autoprobe on the kernel has bound it already: to vhost_vdpa, and all is done, or to
  // virtio_vdpa, from which it is taken by force, since it is nobody's yet but ours.
  try {
    return mine(resolver.resolve(id), made);
  } catch (reason) {
    if (!(reason instanceof VdpaError)) throw reason;
  }
  await runHelper({
    what: `bind ${name}`,
    verb: 'bind',
    force: true,
    words: [name, 'vhost_vdpa', `${identity ?? 0}`],
    timeoutMs: change.left,
  });
  return mine(resolver.resolve(id), made);
}

/** Id and name may lead to another device by now: somebody deleted ours and made one. */
function mine(resolved: ResolvedCharDevice, { name, identity }: Made): ResolvedCharDevice {
  if (resolved.name === name && deviceIdentity(name) === identity) return resolved;
  throw new VdpaError('DEVICE_CHANGED', `create ${name}: another device stands there now`, {
    retry: 'later',
  });
}

/**
 * Deletes what was made, whoever bound it meanwhile, and nothing that somebody else has put in its
 * place; not there any more is as good.
 */
async function undo({ name, identity }: Made, reason: unknown, change: Change): Promise<void> {
  if (identity === null) return;
  const { timeoutMs } = change;
  try {
    await runHelper({
      what: `delete ${name}`,
      verb: 'delete',
      force: true,
      words: [name, `${identity}`],
      timeoutMs,
    });
  } catch (failure) {
    if (failure instanceof VdpaError && failure.code === 'DEVICE_NOT_FOUND') return;
    const why = reason instanceof Error ? reason.message : String(reason);
    const how = failure instanceof Error ? failure.message : String(failure);
    throw new VdpaError(
      reason instanceof VdpaError ? reason.code : 'CHANGE_INTERRUPTED',
      `create ${name}: ${why}; and it could not be deleted again: ${how}`,
      {
        outcome: 'partial',
        retry: 'after-fix',
        leftovers: [`the vDPA device ${name}`],
        cause: reason,
      },
    );
  }
}

function parentIn({ managementDevices }: FamilyListsRow, handle: string): ManagementDeviceRow {
  const parent = managementDevices.find(({ bus, name }) => managementHandle(bus, name) === handle);
  if (parent !== undefined) return parent;
  throw new VdpaError(
    'DEVICE_NOT_FOUND',
    `${handle}: no such management device: load the NIC's vDPA driver, or see 'vdpa-host tree' for those there are`,
    { retry: 'later' },
  );
}

/**
 * The parent's own name, unique as long as a parent has one device. Software parents may have more,
 * and theirs lie beside the parent itself: the first that is free of `vdpasim_net0`, `vdpasim_net1`
 * and so on.
 */
function defaultName(connection: Connection, { bus, name }: ManagementDeviceRow): string {
  if (bus !== '') return name;
  if (name === 'vduse') {
    throw new TypeError('createDevice: name: a vduse device has the name its own program gave it');
  }
  for (let number = 0; ; number++) {
    const candidate = `${name}${number}`;
    if (!isTaken(connection, candidate, 'sys/devices')) return candidate;
  }
}

/** A device becomes a folder in its parent's, beside what that has already. */
function isTaken({ native }: Connection, name: string, folder: string): boolean {
  return native.exists(`sys/bus/vdpa/devices/${name}`) || native.exists(`${folder}/${name}`);
}

/** @throws {VdpaError} what the kernel would refuse, or do and regret, in words it does not have */
function assertPossible(
  connection: Connection,
  { vdpaDevices }: FamilyListsRow,
  parent: ManagementDeviceRow,
  name: string,
  request: CreateRequest,
  what: string,
): void {
  const handle = managementHandle(parent.bus, parent.name);
  const { native } = connection;
  if (!native.exists('sys/bus/vdpa/drivers/vhost_vdpa')) {
    throw new VdpaError(
      'DRIVER_MISSING',
      `${what}: the driver vhost_vdpa is not there: load it (modprobe vhost_vdpa)`,
    );
  }
  const why = whyImpossible(
    {
      handle,
      classes: deviceClasses(parent.supportedClasses),
      maxVqs: parent.maxVqs,
      features: parent.supportedFeatures,
    },
    request,
  );
  if (why !== null) throw new VdpaError('NOT_SUPPORTED', `${what}: ${why}`, { retry: 'never' });
  const folder = parent.bus === '' ? 'sys/devices' : `sys/bus/${parent.bus}/devices/${parent.name}`;
  if (isTaken(connection, name, folder)) {
    throw new VdpaError('DEVICE_EXISTS', `${what}: the name is taken: give another`);
  }
  if (parent.bus === '') return;
  // Some drivers would make a second one and fail badly when their function goes.
  const other = vdpaDevices.find(
    (row) => row.managementBus === parent.bus && row.managementName === parent.name,
  );
  if (other !== undefined) {
    throw new VdpaError(
      'DEVICE_EXISTS',
      `${what}: ${handle} has its device already, ${other.name}: delete that first`,
    );
  }
}

/** The id that an inventory will give the new device. */
async function idOf(
  connection: Connection,
  { bus, name: parentName }: ManagementDeviceRow,
  name: string,
  { signal, left: timeoutMs }: Change,
): Promise<DeviceId> {
  if (bus === 'pci' && isPciAddress(parentName)) return pciDeviceId(parentName);
  if (bus === '') return softwareDeviceId(name);
  const { managementDevices } = await connection.call(
    `place of ${parentName}`,
    (native, ms) => connection.inventory(native, ms),
    { signal, timeoutMs },
  );
  const handle = managementHandle(bus, parentName);
  const parent = managementDevices.find((candidate) => candidate.handle === handle);
  const { pciAddress = null, sfNumber = null } = parent ?? {};
  if (pciAddress === null) return softwareDeviceId(name);
  if (sfNumber !== null) return scalableFunctionDeviceId(pciAddress, sfNumber);
  return isScalableFunction(parentName) ? softwareDeviceId(name) : pciDeviceId(pciAddress);
}
