// Which driver a vDPA device is bound to, and who may bind it next. All names are checked by the
// caller: they become parts of paths.
#pragma once

#include <string>

#include "host_root.h"
#include "result.h"

namespace vdpa {

/// No driver has this name: a device reserved for it can be bound by nobody.
inline constexpr const char* kReservation = "vdpa-host";

/// Writes to the driver's `bind`. Probing runs inside: virtio_vdpa's may wait for the device
/// without end. EBUSY (ENODEV on older kernels) when another driver holds the device, ENODEV when
/// it is reserved for another; Fault::kGone also when there is no such driver.
Result<void> BindDriver(const HostRoot& root, const std::string& name, const std::string& driver);

/// Writes to the driver's `unbind`: waits uninterruptibly while anybody has the char device open.
/// Fault::kGone when that driver does not hold it.
Result<void> UnbindDriver(const HostRoot& root, const std::string& name, const std::string& driver);

/// Whether this kernel's vDPA devices have driver_override (Linux 5.17).
Result<bool> HasOverride(const HostRoot& root, const std::string& name);

/// The driver that the device is reserved for; empty when none is. Waits for the device's lock,
/// so behind a running bind or unbind of it.
Result<std::string> ReadOverride(const HostRoot& root, const std::string& name);

/// Reserves the device; an empty driver lifts the reservation. Waits like ReadOverride. A bound
/// device stays bound.
Result<void> WriteOverride(const HostRoot& root, const std::string& name,
                           const std::string& driver);

/// Whether somebody is unbinding the device right now, which with an open char device lasts: its
/// `driver` link is gone, and still it has a driver.
Result<bool> IsBeingUnbound(const HostRoot& root, const std::string& name);

}  // namespace vdpa
