// What Node's own sockets lack.
#pragma once

#include "addon/node_api.h"

namespace vdpa::addon {

/// peerCredentials(fd): `[pid, uid, gid]`.
Napi::Value ReadPeer(const Napi::CallbackInfo& info);

/// notifySupervisor(socket, message).
Napi::Value Notify(const Napi::CallbackInfo& info);

}  // namespace vdpa::addon
