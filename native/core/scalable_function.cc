#include "scalable_function.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "device_path.h"
#include "number_text.h"

namespace vdpa {
namespace {

constexpr const char* kAuxiliary = "sys/bus/auxiliary/devices/";

}  // namespace

Result<std::vector<ScalableFunction>> ReadScalableFunctions(
    const HostRoot& root, std::span<const BusDevice> bus_devices,
    std::span<const MgmtDevice> mgmt_devices) {
  std::map<std::string, std::string, std::less<>> pf_of;
  for (const BusDevice& device : bus_devices) {
    const std::string_view name = NearestSfComponent(device.parent_path);
    if (!name.empty())
      pf_of.try_emplace(std::string(name), NearestPciComponent(device.parent_path));
  }
  for (const MgmtDevice& device : mgmt_devices) {
    if (device.bus != "auxiliary" || NearestSfComponent(device.name) != device.name) continue;
    if (device.name.empty() || pf_of.contains(device.name)) continue;
    const auto target = root.ReadLinkIfThere(kAuxiliary + device.name);
    if (!target) return std::unexpected(target.error());
    const auto path = DevicesPath(*target);
    if (path) pf_of.try_emplace(device.name, NearestPciComponent(*path));
  }

  std::vector<ScalableFunction> functions;
  functions.reserve(pf_of.size());
  for (auto& [name, pf] : pf_of) {
    const auto text = OrEmpty(root.ReadAttribute(kAuxiliary + name + "/sfnum"));
    if (!text) return std::unexpected(text.error());
    ScalableFunction function{.name = name, .pf_address = std::move(pf)};
    function.sf_number = ParseNumber<std::uint32_t>(*text);
    functions.push_back(std::move(function));
  }
  return functions;
}

}  // namespace vdpa
