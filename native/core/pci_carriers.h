// Which PCI functions carry vDPA devices or management devices.
#pragma once

#include <string>
#include <vector>

#include "host_root.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// Fills in `pci_address` of the snapshot's management devices. Asks sysfs only for those whose
/// place no vDPA device and no SF has told.
Result<void> PlaceMgmtDevices(const HostRoot& root, Snapshot& snapshot);

/// The addresses of the functions above the snapshot's vDPA devices, placed management devices and
/// SFs, with repetitions.
std::vector<std::string> FindPciCarriers(const Snapshot& snapshot);

}  // namespace vdpa
