// The vDPA devices that stand on a PF's VFs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host_root.h"
#include "records.h"
#include "result.h"

namespace vdpa {

struct VfDevices {
  std::string passed_vf;  ///< the first that vfio-pci has, for a guest as a rule; empty: none
  std::uint32_t num_vfs = 0;
  std::vector<BusDevice> devices;
};

/// `pf` is a PCI address. Fault::kGone when there is no such function.
Result<VfDevices> ReadVfDevices(const HostRoot& root, const std::string& pf);

}  // namespace vdpa
