#include "pci_carriers.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "device_path.h"

namespace vdpa {
namespace {

constexpr std::string_view kAuxiliaryBus = "auxiliary";

/// The functions above devices of the auxiliary bus, as far as others have told them.
std::map<std::string_view, std::string_view> KnownPlaces(const Snapshot& snapshot) {
  std::map<std::string_view, std::string_view> places;
  for (const BusDevice& device : snapshot.bus_devices) {
    const std::string_view parent = LastComponent(device.parent_path);
    if (IsAuxiliaryName(parent)) places.emplace(parent, NearestPciComponent(device.parent_path));
  }
  for (const ScalableFunction& function : snapshot.scalable_functions) {
    places.emplace(function.name, function.pf_address);
  }
  return places;
}

}  // namespace

Result<void> PlaceMgmtDevices(const HostRoot& root, Snapshot& snapshot) {
  std::map<std::string_view, std::string_view> places;
  const auto auxiliary = [](const MgmtDevice& device) { return device.bus == kAuxiliaryBus; };
  if (std::ranges::any_of(snapshot.mgmt_devices, auxiliary)) {
    places = KnownPlaces(snapshot);
  }
  for (MgmtDevice& device : snapshot.mgmt_devices) {
    if (device.bus.empty() || !device.pci_address.empty()) continue;
    if (device.bus == "pci") {
      device.pci_address = device.name;
      continue;
    }
    const auto place = places.find(device.name);
    if (device.bus == kAuxiliaryBus && place != places.end()) {
      device.pci_address = place->second;
      continue;
    }
    const auto target = root.ReadLinkIfThere("sys/bus/" + device.bus + "/devices/" + device.name);
    if (!target) return std::unexpected(target.error());
    const auto path = DevicesPath(*target);
    if (path) device.pci_address = NearestPciComponent(*path);
  }
  return {};
}

std::vector<std::string> FindPciCarriers(const Snapshot& snapshot) {
  std::vector<std::string> carriers;
  carriers.reserve(snapshot.bus_devices.size() + snapshot.scalable_functions.size() +
                   snapshot.mgmt_devices.size());
  for (const BusDevice& device : snapshot.bus_devices) {
    carriers.emplace_back(NearestPciComponent(device.parent_path));
  }
  for (const ScalableFunction& function : snapshot.scalable_functions) {
    carriers.push_back(function.pf_address);
  }
  for (const MgmtDevice& device : snapshot.mgmt_devices) carriers.push_back(device.pci_address);
  std::erase(carriers, std::string());
  return carriers;
}

}  // namespace vdpa
