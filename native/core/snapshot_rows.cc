#include "snapshot_rows.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <ranges>

namespace vdpa {

void KeepListed(std::vector<VdpaDevice>& rows, const std::vector<BusDevice>& listed) {
  std::vector<bool> told(listed.size());
  std::vector<VdpaDevice> kept;
  kept.reserve(rows.size());
  for (VdpaDevice& row : std::views::reverse(rows)) {
    const auto place = std::ranges::lower_bound(listed, row.name, {}, &BusDevice::name);
    if (place == listed.end() || place->name != row.name) continue;
    const auto index = static_cast<std::size_t>(place - listed.begin());
    if (told[index]) continue;
    told[index] = true;
    kept.push_back(std::move(row));
  }
  std::ranges::reverse(kept);
  rows = std::move(kept);
}

void OrderMgmtDevices(std::vector<MgmtDevice>& rows) {
  std::map<MgmtHandle, MgmtDevice> by_handle;
  for (MgmtDevice& row : rows) {
    MgmtHandle handle(row.bus, row.name);
    by_handle.insert_or_assign(std::move(handle), std::move(row));
  }
  rows.clear();
  for (auto& [handle, row] : by_handle) rows.push_back(std::move(row));
}

void ForgetFamily(Snapshot& snapshot) {
  snapshot.abi.reset();
  snapshot.mgmt_devices.clear();
  snapshot.vdpa_devices.clear();
}

}  // namespace vdpa
