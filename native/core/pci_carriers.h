// Which PCI functions carry vDPA devices or management devices.
#pragma once

#include <string>
#include <vector>

#include "host_root.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// The addresses of the functions above the snapshot's vDPA devices, management devices and SFs,
/// with repetitions. Asks sysfs only for auxiliary management devices whose place no device has
/// told.
Result<std::vector<std::string>> FindPciCarriers(const HostRoot& root, const Snapshot& snapshot);

}  // namespace vdpa
