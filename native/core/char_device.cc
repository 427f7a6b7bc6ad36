#include "char_device.h"

#include <dirent.h>

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "device_path.h"
#include "pci_address.h"
#include "vdpa_bus.h"

namespace vdpa {
namespace {

using Kind = DeviceLocation::Kind;

constexpr std::size_t kNameLimit = 255;
constexpr std::string_view kVhostDriver = "vhost_vdpa";

/// Names become parts of paths here, so nothing may climb out of its directory.
bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kNameLimit && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool IsValid(const DeviceLocation& location) {
  if (location.kind == Kind::kPci) return ParsePciAddress(location.name).has_value();
  return IsPlainName(location.name);
}

/// Whether the vDPA device `vdpa_name` below `parent_path` is the one at `location`.
bool IsAt(const DeviceLocation& location, std::string_view parent_path,
          std::string_view vdpa_name) {
  switch (location.kind) {
    case Kind::kPci:
      // Some drivers put an auxiliary device of their own in between (pds_core.vDPA.N). An SF,
      // though, is a device in its own right: what it carries does not belong to the PF.
      return NearestPciComponent(parent_path) == location.name &&
             NearestSfComponent(parent_path).empty();
    case Kind::kAuxiliary:
      return LastComponent(parent_path) == location.name;
    case Kind::kSoftware:
      // What a plain PCI function carries is found by the function, never by a name that may go to
      // another device.
      return vdpa_name == location.name &&
             (NearestPciComponent(parent_path).empty() || !NearestSfComponent(parent_path).empty());
  }
  return false;
}

CharDeviceState StateOf(NodeState node) {
  switch (node) {
    case NodeState::kMissing:
      return CharDeviceState::kNodeMissing;
    case NodeState::kMismatch:
      return CharDeviceState::kNodeMismatch;
    case NodeState::kThere:
      break;
  }
  return CharDeviceState::kOk;
}

Result<CharDeviceAnswer> WithNode(const HostRoot& root, std::string vdpa_name, CharDevice found) {
  CharDeviceAnswer answer{.vdpa_name = std::move(vdpa_name), .driver = std::string(kVhostDriver)};
  const Result<NodeState> node = ReadNodeState(root, found);
  if (!node) return std::unexpected(node.error());
  found.node = *node;
  answer.state = StateOf(*node);
  answer.char_device = std::move(found);
  return answer;
}

/// The name of the char device; empty when the hint no longer holds.
Result<std::string> FollowHint(const HostRoot& root, const DeviceLocation& location,
                               const CharDeviceHint& hint) {
  const auto target = root.ReadLinkIfThere("sys/dev/char/" + FormatDeviceNumber(hint.number));
  if (!target) return target;
  const auto place = ParseVhostPath(*target);
  if (!place || place->vdpa_name != hint.vdpa_name ||
      !IsAt(location, place->parent_path, place->vdpa_name)) {
    return std::string();
  }
  return std::string(place->char_name);
}

Result<CharDeviceAnswer> FromName(const HostRoot& root, const std::string& vdpa_name) {
  auto found = FindCharDevice(root, vdpa_name);
  if (!found) return std::unexpected(found.error());
  std::optional<CharDevice> char_device = std::move(*found);
  if (char_device) return WithNode(root, vdpa_name, std::move(*char_device));
  Result<std::string> driver = ReadVdpaDriver(root, vdpa_name);
  if (!driver) return std::unexpected(driver.error());
  // The driver link comes first when a device is bound, and goes last.
  const bool bound = *driver == kVhostDriver;
  return CharDeviceAnswer{
      .state = bound ? CharDeviceState::kNoCharDevice : CharDeviceState::kNotBound,
      .vdpa_name = vdpa_name,
      .driver = std::move(*driver)};
}

/// Whether `name` is on the vDPA bus and at this location.
Result<bool> IsDeviceAt(const HostRoot& root, const DeviceLocation& location,
                        const std::string& name) {
  const auto target = root.ReadLinkIfThere("sys/bus/vdpa/devices/" + name);
  if (!target) return std::unexpected(target.error());
  const auto path = DevicesPath(*target);
  return path && LastComponent(*path) == name && IsAt(location, ParentPath(*path), name);
}

/// Adds the vDPA devices among the entries of a directory; false when there is no such directory.
Result<bool> AddChildren(const HostRoot& root, const DeviceLocation& location,
                         const std::string& directory, bool descend,
                         std::vector<std::string>& names) {
  const auto entries = root.List(directory);
  if (!entries && IsGone(entries.error())) return false;
  if (!entries) return std::unexpected(entries.error());
  for (const DirectoryEntry& entry : *entries) {
    if (entry.type != DT_DIR && entry.type != DT_UNKNOWN) continue;
    const Result<bool> here = IsDeviceAt(root, location, entry.name);
    if (!here) return here;
    if (*here) {
      names.push_back(entry.name);
    } else if (descend && IsAuxiliaryName(entry.name) && NearestSfComponent(entry.name).empty()) {
      const Result<bool> below =
          AddChildren(root, location, directory + "/" + entry.name, false, names);
      if (!below) return below;
    }
  }
  return true;
}

std::string Joined(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

Result<CharDeviceAnswer> BySearch(const HostRoot& root, const DeviceLocation& location,
                                  const std::optional<CharDeviceHint>& hint) {
  if (location.kind == Kind::kSoftware) {
    const Result<bool> here = IsDeviceAt(root, location, location.name);
    if (!here) return std::unexpected(here.error());
    if (*here) return FromName(root, location.name);
    return CharDeviceAnswer{.state = CharDeviceState::kNoVdpaDevice};
  }
  const bool pci = location.kind == Kind::kPci;
  std::vector<std::string> names;
  const Result<bool> parent = AddChildren(
      root, location, (pci ? "sys/bus/pci/devices/" : "sys/bus/auxiliary/devices/") + location.name,
      pci, names);
  if (!parent) return std::unexpected(parent.error());
  if (!*parent) return CharDeviceAnswer{.state = CharDeviceState::kNoParent};
  if (names.empty()) return CharDeviceAnswer{.state = CharDeviceState::kNoVdpaDevice};

  // One device per parent is the rule; where a driver allows more, the one that was meant before.
  if (hint && std::ranges::find(names, hint->vdpa_name) != names.end()) {
    return FromName(root, hint->vdpa_name);
  }
  if (names.size() == 1) return FromName(root, names.front());
  std::ranges::sort(names);
  return CharDeviceAnswer{.state = CharDeviceState::kAmbiguous, .vdpa_name = Joined(names)};
}

}  // namespace

Result<CharDeviceAnswer> ResolveCharDevice(const HostRoot& root, const DeviceLocation& location,
                                           const std::optional<CharDeviceHint>& hint) {
  if (!IsValid(location)) return Malformed("resolve " + location.name, "not a device location");
  if (hint) {
    Result<std::string> char_name = FollowHint(root, location, *hint);
    if (!char_name) return std::unexpected(char_name.error());
    if (!char_name->empty()) {
      return WithNode(root, hint->vdpa_name,
                      {std::move(*char_name), hint->number.major, hint->number.minor});
    }
  }
  return BySearch(root, location, hint);
}

}  // namespace vdpa
