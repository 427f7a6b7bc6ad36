// The vDPA bus in sysfs: every vDPA device, whether or not the `vdpa` family lists it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "host_root.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// True when this kernel has the vDPA bus. To be asked before the `vdpa` family: a look-up of a
/// family that does not exist makes the kernel start modprobe.
Result<bool> HasVdpaBus(const HostRoot& root);

/// All devices on the bus in order of name, with parent, driver and char device; unset when there
/// is no bus (the module `vdpa` is not loaded).
///
/// One readlink and one stat per device bound to vhost_vdpa, two readlinks for others: a link in
/// sys/dev/char tells char device, vDPA device and parent at once, and what hangs there is bound to
/// vhost_vdpa.
Result<std::optional<std::vector<BusDevice>>> ReadBusDevices(const HostRoot& root);

/// One device of the bus by its own links; unset when it is not there.
Result<std::optional<BusDevice>> ReadBusDevice(const HostRoot& root, const std::string& vdpa_name);

/// The char device below one vDPA device's own directory; unset when there is none. For single
/// devices and for trees that lack sys/dev/char.
Result<std::optional<CharDevice>> FindCharDevice(const HostRoot& root,
                                                 const std::string& vdpa_name);

/// Whether the node of a char device is there and has its number. In a captured tree, which may
/// have been made without privileges, anything of that name will do.
Result<NodeState> ReadNodeState(const HostRoot& root, const CharDevice& char_device);

/// The name of the driver that holds a vDPA device; empty when unbound.
Result<std::string> ReadVdpaDriver(const HostRoot& root, const std::string& vdpa_name);

}  // namespace vdpa
