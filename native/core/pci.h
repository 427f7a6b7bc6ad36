// The PCI functions that matter for vDPA, read from sysfs.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "host_root.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// Every PF (a function with SR-IOV), every VF of those, and the functions named in `carriers`:
/// those that carry vDPA or management devices without being either, or as VFs whose PF is not on
/// this host. In order of address. A function that vanishes meanwhile is left out; a host without
/// PCI has none.
///
/// System calls are the cost. A VF takes four at most (driver_override, and iommu_group where there
/// is an IOMMU): addresses and indexes follow from the PF's offset and stride, ids from its first
/// VF, the NUMA node from the PF, drivers from one listing per driver. `config` is never opened:
/// that would be cycles on the bus, and may wake a sleeping function.
Result<std::vector<PciFunction>> ReadPciFunctions(const HostRoot& root,
                                                  std::span<const std::string> carriers);

}  // namespace vdpa
