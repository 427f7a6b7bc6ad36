// The PCI functions that matter for vDPA, read from sysfs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host_root.h"
#include "netlink_channel.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// Every PF (a function with SR-IOV), every VF of those, and the functions named in `carriers`:
/// those that carry vDPA or management devices without being either, or as VFs whose PF is not on
/// this host. In order of address. A function that vanishes meanwhile is left out; a host without
/// PCI has none. Fault::kTimeout when the deadline passes between two functions: a tree that was
/// given to us may hold any number of them.
///
/// System calls are the cost. A VF takes one at most (iommu_group, where there is an IOMMU):
/// addresses and indexes follow from the PF's offset and stride, ids from its first VF, the NUMA
/// node from the PF, drivers from one listing per driver. `config` is never opened: that would be
/// cycles on the bus, and may wake a sleeping function. Nor is what takes the device lock, which a
/// driver holds while it probes or makes VFs: sriov_numvfs (the links tell) and driver_override.
Result<std::vector<PciFunction>> ReadPciFunctions(const HostRoot& root,
                                                  std::span<const std::string> carriers,
                                                  Deadline deadline);

/// The driver that an administrator has reserved one function for; unset when none. Fault::kGone
/// for a function that is not there. Waits, uninterruptibly, while a driver works on the function.
Result<std::optional<std::string>> ReadDriverOverride(const HostRoot& root,
                                                      const std::string& pci_address);

}  // namespace vdpa
