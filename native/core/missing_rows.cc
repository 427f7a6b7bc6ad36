#include "missing_rows.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host_root.h"

namespace vdpa {
namespace {

constexpr int kAttempts = 3;

/// Asks for one thing and adds it, unless the kernel refuses to tell of it. kGone when it is gone.
template <typename T, typename Read>
Result<void> Ask(const Read& read, std::vector<T>& rows, Snapshot& snapshot) {
  Result<T> row = read();
  for (int again = 1; again < kAttempts; ++again) {
    if (row || row.error().fault != Fault::kLost) break;
    row = read();
  }
  if (row) {
    rows.push_back(std::move(*row));
  } else if (row.error().fault == Fault::kNoFamily) {
    ForgetFamily(snapshot);  // the module went
  } else if (!IsRefusal(row.error())) {
    return std::unexpected(std::move(row.error()));
  }
  return {};
}

/// Also done after a consistent attempt: a device is in sysfs a moment before its event is counted,
/// and only an answer tells a device being born from one that the family does not manage.
Result<void> AskForDevices(VdpaFamily& family, Deadline deadline, Snapshot& snapshot) {
  // All rows are of devices on the bus, each of another one.
  if (snapshot.vdpa_devices.size() == snapshot.bus_devices.size()) return {};
  std::set<std::string> listed;
  for (const VdpaDevice& device : snapshot.vdpa_devices) listed.insert(device.name);
  std::vector<BusDevice> present;
  present.reserve(snapshot.bus_devices.size());
  for (BusDevice& device : snapshot.bus_devices) {
    if (snapshot.abi && !listed.contains(device.name)) {
      const Result<void> asked = Ask([&] { return family.ReadDevice(device.name, deadline); },
                                     snapshot.vdpa_devices, snapshot);
      if (!asked && IsGone(asked.error())) continue;
      if (!asked) return asked;
    }
    present.push_back(std::move(device));
  }
  snapshot.bus_devices = std::move(present);
  return {};
}

/// While they are in order.
bool HasMgmtDevice(const Snapshot& snapshot, std::string_view bus, std::string_view name) {
  using View = std::pair<std::string_view, std::string_view>;
  return std::ranges::binary_search(
      snapshot.mgmt_devices, View(bus, name), {},
      [](const MgmtDevice& device) { return View(device.bus, device.name); });
}

Result<void> AskForMgmtDevices(VdpaFamily& family, const std::set<MgmtHandle>& seen,
                               Deadline deadline, Snapshot& snapshot) {
  std::set<MgmtHandle> missing;
  for (const auto& [bus, name] : seen) {
    if (!HasMgmtDevice(snapshot, bus, name)) missing.emplace(bus, name);
  }
  for (const VdpaDevice& device : snapshot.vdpa_devices) {
    if (HasMgmtDevice(snapshot, device.mgmt_bus, device.mgmt_name)) continue;
    missing.emplace(device.mgmt_bus, device.mgmt_name);
  }
  for (const MgmtHandle& handle : missing) {
    const Result<void> asked =
        Ask([&] { return family.ReadMgmtDevice(handle.first, handle.second, deadline); },
            snapshot.mgmt_devices, snapshot);
    if (!asked && !IsGone(asked.error())) return asked;
    if (!snapshot.abi) return {};
  }
  if (!missing.empty()) OrderMgmtDevices(snapshot.mgmt_devices);
  return {};
}

}  // namespace

Result<void> AskForMissingRows(VdpaFamily& family, const std::set<MgmtHandle>& seen,
                               Deadline deadline, Snapshot& snapshot) {
  if (!snapshot.abi) return {};
  const Result<void> asked = AskForDevices(family, deadline, snapshot);
  if (!asked || !snapshot.abi) return asked;
  return AskForMgmtDevices(family, seen, deadline, snapshot);
}

}  // namespace vdpa
