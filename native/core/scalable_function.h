// Scalable functions (SFs): slices of a PF on the auxiliary bus.
#pragma once

#include <span>
#include <vector>

#include "host_root.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// The SFs above the vDPA devices, and those that are management devices without a device so far,
/// in order of name. An SF that vanishes meanwhile is left out.
Result<std::vector<ScalableFunction>> ReadScalableFunctions(
    const HostRoot& root, std::span<const BusDevice> bus_devices,
    std::span<const MgmtDevice> mgmt_devices);

}  // namespace vdpa
