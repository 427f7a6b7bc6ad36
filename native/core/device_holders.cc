#include "device_holders.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

namespace vdpa {
namespace {

bool IsPid(std::string_view name) {
  return !name.empty() &&
         std::ranges::all_of(name, [](unsigned char c) { return isdigit(c) != 0; });
}

bool Holds(const HostRoot& root, const std::string& descriptors, const std::string& node,
           const DeviceNumber& number) {
  const auto entries = root.List(descriptors);
  if (!entries) return false;  // another user's, or it ended
  return std::ranges::any_of(*entries, [&](const DirectoryEntry& entry) {
    const std::string path = descriptors + "/" + entry.name;
    // The link's text first: to stat what lies on a dead file server would never return. It says
    // " (deleted)" once the node is gone, lacks "/dev" for a container's own /dev, and has another
    // name where somebody made or renamed a node.
    const auto target = root.ReadLinkIfThere(path);
    if (!target || (!target->starts_with("/dev/") && !target->contains("/" + node))) return false;
    const auto opened = root.NodeNumber(path);
    return opened && *opened == number;
  });
}

}  // namespace

Result<std::vector<DeviceHolder>> FindHolders(const HostRoot& root, const std::string& node,
                                              const DeviceNumber& number) {
  const auto processes = root.List("proc");
  if (!processes) return std::unexpected(processes.error());
  std::vector<DeviceHolder> holders;
  for (const DirectoryEntry& process : *processes) {
    if (!IsPid(process.name)) continue;
    const std::string directory = "proc/" + process.name;
    if (!Holds(root, directory + "/fd", node, number)) continue;
    holders.push_back({process.name, root.ReadAttribute(directory + "/comm").value_or("")});
  }
  return holders;
}

}  // namespace vdpa
