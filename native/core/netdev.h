// Network interfaces with the PCI function they belong to.
#pragma once

#include <vector>

#include "host_root.h"
#include "link_dump.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// The interfaces that have a PCI function above them: uplinks, representors, VF and SF interfaces,
/// and those of virtio_vdpa. All others (bridges, taps, ...) are left out. In the order of the
/// dump.
///
/// The kernel says in the link itself which device is above (since Linux 5.14); only where that is
/// not the PCI function, one readlink follows.
Result<std::vector<Netdev>> ResolveNetdevs(const HostRoot& root, const LinkDump& dump);

}  // namespace vdpa
