// A device node that only this process sees.
#pragma once

#include "device_number.h"
#include "host_root.h"
#include "result.h"
#include "unique_fd.h"

namespace vdpa {

/// Opens a char device by its number alone, for one whose node in dev/ is missing or stale. An act,
/// like HostRoot::OpenCharDevice. Needs CAP_MKNOD and CAP_SYS_ADMIN, and Linux 5.2; leaves nothing
/// behind. EROFS in a captured tree.
Result<UniqueFd> OpenByNumber(const HostRoot& root, const DeviceNumber& number);

}  // namespace vdpa
