#include "vf_devices.h"

#include <string_view>
#include <unordered_set>
#include <utility>

#include "device_path.h"
#include "vdpa_bus.h"

namespace vdpa {

Result<VfDevices> ReadVfDevices(const HostRoot& root, const std::string& pf) {
  const std::string directory = "sys/bus/pci/devices/" + pf;
  const auto entries = root.List(directory);
  if (!entries) return std::unexpected(entries.error());
  VfDevices found;
  std::unordered_set<std::string> vfs;
  for (const DirectoryEntry& entry : *entries) {
    if (!entry.name.starts_with("virtfn")) continue;
    const auto target = root.ReadLinkIfThere(directory + "/" + entry.name);
    if (!target) return std::unexpected(target.error());
    if (target->empty()) continue;
    std::string vf(LastComponent(*target));
    const auto driver = root.ReadLinkIfThere("sys/bus/pci/devices/" + vf + "/driver");
    if (!driver) return std::unexpected(driver.error());
    const bool first = found.passed_vf.empty() || vf < found.passed_vf;
    if (first && LastComponent(*driver) == "vfio-pci") found.passed_vf = vf;
    vfs.insert(std::move(vf));
  }

  found.num_vfs = static_cast<std::uint32_t>(vfs.size());
  auto read = ReadBusDevices(root);
  if (!read) return std::unexpected(read.error());
  std::vector<BusDevice> devices = std::move(*read).value_or(std::vector<BusDevice>());
  for (BusDevice& device : devices) {
    // Whatever lies between, scalable functions of the VF included, goes with the VF.
    for (std::string_view path = device.parent_path; !path.empty(); path = ParentPath(path)) {
      if (!vfs.contains(std::string(LastComponent(path)))) continue;
      found.devices.push_back(std::move(device));
      break;
    }
  }
  return found;
}

}  // namespace vdpa
