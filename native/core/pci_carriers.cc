#include "pci_carriers.h"

#include <set>
#include <string_view>

#include "device_path.h"

namespace vdpa {

Result<std::vector<std::string>> FindPciCarriers(const HostRoot& root, const Snapshot& snapshot) {
  std::vector<std::string> carriers;
  std::set<std::string_view> placed;  // names of auxiliary devices whose function is known
  for (const BusDevice& device : snapshot.bus_devices) {
    carriers.emplace_back(NearestPciComponent(device.parent_path));
    placed.insert(LastComponent(device.parent_path));
  }
  for (const ScalableFunction& function : snapshot.scalable_functions) {
    carriers.push_back(function.pf_address);
    placed.insert(function.name);
  }
  for (const MgmtDevice& device : snapshot.mgmt_devices) {
    if (device.bus == "pci") carriers.push_back(device.name);
    if (device.bus != "auxiliary" || placed.contains(device.name)) continue;
    const auto target = root.ReadLinkIfThere("sys/bus/auxiliary/devices/" + device.name);
    if (!target) return std::unexpected(target.error());
    const auto path = DevicesPath(*target);
    if (path) carriers.emplace_back(NearestPciComponent(*path));
  }
  std::erase(carriers, std::string());
  return carriers;
}

}  // namespace vdpa
