// The supervisor of a service (systemd, or what speaks its protocol).
#pragma once

#include <string_view>

#include "result.h"

namespace vdpa {

/// Sends assignments such as "READY=1", one a line, to the socket that NOTIFY_SOCKET names: an
/// absolute path, or '@' and the rest of an abstract name; EINVAL when it is neither, or too long.
/// Waits at most a quarter of a second for room in its queue (EAGAIN).
Result<void> NotifySupervisor(std::string_view socket, std::string_view message);

}  // namespace vdpa
