// What attaching a char device to a guest needs of the kernel and Node has not.
#pragma once

#include "addon/node_api.h"

namespace vdpa::addon {

/// passCharDevice(stream, line, path, major, minor, timeoutMs): a promise.
Napi::Value PassCharDevice(const Napi::CallbackInfo& info);

/// tryCharDevice(path, major, minor): a promise.
Napi::Value TryCharDevice(const Napi::CallbackInfo& info);

/// setMemoryLock(pid, soft, hard): `[soft, hard]` as they were.
Napi::Value SetMemoryLockOf(const Napi::CallbackInfo& info);

}  // namespace vdpa::addon
