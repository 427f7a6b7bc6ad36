// Core records as rows of src/rows.ts, whose fields stand in the same order there.
#pragma once

#include <vector>

#include "addon/row_packer.h"
#include "core/named_devices.h"
#include "core/records.h"
#include "core/uevent.h"

namespace vdpa::addon {

/// The two lists of the `vdpa` family.
struct FamilyLists {
  std::vector<MgmtDevice> mgmt_devices;
  std::vector<VdpaDevice> vdpa_devices;
};

PackedRows Pack(const Snapshot& snapshot);
PackedRows Pack(const FamilyLists& lists);
PackedRows Pack(const NamedDevices& devices);
PackedRows Pack(const DeviceConfig& config);
PackedRows Pack(const VendorStats& stats);
PackedRows Pack(const std::vector<Uevent>& events);

}  // namespace vdpa::addon
