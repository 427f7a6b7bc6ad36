// Some vDPA devices by name: what an event says changed.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "host_root.h"
#include "records.h"
#include "result.h"
#include "vdpa_family.h"

namespace vdpa {

/// Rows as a snapshot has them, in the order of the names; a device that is gone has none, and one
/// that the family does not tell of none there.
struct NamedDevices {
  std::vector<VdpaDevice> vdpa_devices;
  std::vector<BusDevice> bus_devices;
};

/// Reads each device anew. What changes between the two halves of a row announces itself by another
/// event. Fails as TakeSnapshot does.
Result<NamedDevices> ReadNamedDevices(const HostRoot& root, VdpaFamily& family,
                                      std::span<const std::string> names, Deadline deadline);

}  // namespace vdpa
