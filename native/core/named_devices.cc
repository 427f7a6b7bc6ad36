#include "named_devices.h"

#include <optional>
#include <utility>

#include "vdpa_bus.h"

namespace vdpa {
namespace {

/// It is gone, has no management device, or the module went: the bus is what counts.
bool IsUntold(const Error& error) {
  return IsRefusal(error) || IsGone(error) || error.fault == Fault::kNoFamily;
}

}  // namespace

Result<NamedDevices> ReadNamedDevices(const HostRoot& root, VdpaFamily& family,
                                      std::span<const std::string> names, Deadline deadline) {
  NamedDevices devices;
  const Result<bool> bus = HasVdpaBus(root);
  if (!bus) return std::unexpected(bus.error());
  if (!*bus) return devices;
  bool has_family = true;
  for (const std::string& name : names) {
    // The family first: it waits for whoever is making the device to be done. One that is not there
    // is asked for once: each question starts a modprobe.
    std::optional<VdpaDevice> told;
    if (has_family) {
      Result<VdpaDevice> answer = family.ReadDevice(name, deadline);
      if (answer) {
        told = *std::move(answer);
      } else if (!IsUntold(answer.error())) {
        return std::unexpected(std::move(answer.error()));
      } else {
        has_family = answer.error().fault != Fault::kNoFamily;
      }
    }
    Result<std::optional<BusDevice>> there = ReadBusDevice(root, name);
    if (!there) return std::unexpected(std::move(there.error()));
    std::optional<BusDevice>& device = *there;
    if (!device) continue;
    devices.bus_devices.push_back(*std::move(device));
    if (told) devices.vdpa_devices.push_back(*std::move(told));
  }
  return devices;
}

}  // namespace vdpa
