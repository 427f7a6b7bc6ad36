#include "vdpa_bus.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "device_path.h"
#include "number_text.h"

namespace vdpa {
namespace {

constexpr const char* kBus = "sys/bus/vdpa";
constexpr const char* kDevices = "sys/bus/vdpa/devices";
constexpr const char* kCharLinks = "sys/dev/char";
constexpr std::string_view kVhostDriver = "vhost_vdpa";
constexpr std::size_t kProcDevicesLimit = std::size_t{1} << 20U;

/// The major number of a driver in the text of /proc/devices, where character devices come first.
std::optional<std::uint32_t> ParseCharMajor(std::string_view text, std::string_view driver) {
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() == text.size() ? line.size() : line.size() + 1);
    if (line.starts_with("Block devices")) break;
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos || line.substr(space + 1) != driver) continue;
    return ParseNumber<std::uint32_t>(line.substr(0, space));
  }
  return std::nullopt;
}

BusDevice* Find(std::vector<BusDevice>& devices, std::string_view name) {
  const auto found = std::ranges::lower_bound(devices, name, {}, &BusDevice::name);
  return found != devices.end() && found->name == name ? &*found : nullptr;
}

/// Follows every vhost-vdpa link of sys/dev/char. False when this root does not tell them there.
Result<bool> ReadCharLinks(const HostRoot& root, std::vector<BusDevice>& devices) {
  const auto registered = root.ReadFile("proc/devices", kProcDevicesLimit);
  if (!registered && IsGone(registered.error())) return false;
  if (!registered) return std::unexpected(registered.error());
  const auto major_number = ParseCharMajor(*registered, "vhost-vdpa");
  // Without the driver no device can be bound to it, except that a captured text may be cut short.
  if (!major_number) return root.Live();
  const auto links = root.List(kCharLinks);
  if (!links && IsGone(links.error())) return false;
  if (!links) return std::unexpected(links.error());

  const std::string prefix = std::to_string(*major_number) + ":";
  for (const DirectoryEntry& link : *links) {
    if (!link.name.starts_with(prefix)) continue;
    const auto number = ParseDeviceNumber(link.name);
    if (!number) continue;
    const auto target = root.ReadLinkIfThere(std::string(kCharLinks) + "/" + link.name);
    if (!target) return std::unexpected(target.error());
    const auto place = ParseVhostPath(*target);
    if (!place) continue;
    BusDevice* const device = Find(devices, place->vdpa_name);
    if (device == nullptr) continue;  // it came after the listing of names, or just went
    device->parent_path = place->parent_path;
    device->driver = kVhostDriver;
    device->char_device = CharDevice{std::string(place->char_name), number->major, number->minor};
  }
  return true;
}

/// Parent and driver of one device, by its own links. False when it is gone.
Result<bool> ReadLinks(const HostRoot& root, BusDevice& device) {
  const auto target = root.ReadLinkIfThere(std::string(kDevices) + "/" + device.name);
  if (!target) return std::unexpected(target.error());
  if (target->empty()) return false;
  const auto path = DevicesPath(*target);
  if (path) device.parent_path = ParentPath(*path);
  Result<std::string> driver = ReadVdpaDriver(root, device.name);
  if (!driver) return std::unexpected(driver.error());
  device.driver = std::move(*driver);
  return true;
}

/// By the device's own directory.
Result<void> ReadOwnCharDevice(const HostRoot& root, BusDevice& device) {
  auto found = FindCharDevice(root, device.name);
  if (!found) return std::unexpected(found.error());
  device.char_device = std::move(*found);
  if (device.char_device && device.driver.empty()) device.driver = kVhostDriver;
  return {};
}

Result<void> ReadNode(const HostRoot& root, BusDevice& device) {
  if (!device.char_device) return {};
  const Result<NodeState> node = ReadNodeState(root, *device.char_device);
  if (!node) return std::unexpected(node.error());
  device.char_device->node = *node;
  return {};
}

}  // namespace

Result<bool> HasVdpaBus(const HostRoot& root) { return root.Exists(kBus); }

Result<NodeState> ReadNodeState(const HostRoot& root, const CharDevice& char_device) {
  const auto node = root.NodeNumber("dev/" + char_device.name);
  if (!node && IsGone(node.error())) return NodeState::kMissing;
  if (!node) return std::unexpected(node.error());
  // A node of a captured tree need not tell its number.
  const std::optional<DeviceNumber>& told = *node;
  const DeviceNumber number{char_device.major, char_device.minor};
  const bool there = told ? *told == number : !root.Live();
  return there ? NodeState::kThere : NodeState::kMismatch;
}

Result<std::string> ReadVdpaDriver(const HostRoot& root, const std::string& vdpa_name) {
  const auto target = root.ReadLinkIfThere(std::string(kDevices) + "/" + vdpa_name + "/driver");
  if (!target) return target;
  return std::string(LastComponent(*target));
}

Result<std::optional<CharDevice>> FindCharDevice(const HostRoot& root,
                                                 const std::string& vdpa_name) {
  const std::string directory = std::string(kDevices) + "/" + vdpa_name;
  const auto entries = OrEmpty(root.List(directory));
  if (!entries) return std::unexpected(entries.error());
  for (const DirectoryEntry& entry : *entries) {
    if (!IsVhostName(entry.name)) continue;
    const std::string path = directory + "/" + entry.name + "/dev";
    const auto text = root.ReadAttribute(path);
    // A char device whose number is unknown is of no use: the number is its identity.
    if (!text && IsGone(text.error())) continue;
    if (!text) return std::unexpected(text.error());
    const auto number = ParseDeviceNumber(*text);
    if (!number) return Malformed("read " + path, "not a device number: " + *text);
    return CharDevice{entry.name, number->major, number->minor};
  }
  return std::optional<CharDevice>();
}

Result<std::optional<BusDevice>> ReadBusDevice(const HostRoot& root, const std::string& vdpa_name) {
  BusDevice device{.name = vdpa_name};
  const Result<bool> there = ReadLinks(root, device);
  if (!there) return std::unexpected(there.error());
  if (!*there) return std::optional<BusDevice>();
  // Only this driver makes one; a captured tree need not tell the driver.
  if (!root.Live() || device.driver == kVhostDriver) {
    auto found = FindCharDevice(root, vdpa_name);
    if (!found) return std::unexpected(found.error());
    device.char_device = std::move(*found);
  }
  const Result<void> node = ReadNode(root, device);
  if (!node) return std::unexpected(node.error());
  return device;
}

Result<std::optional<std::vector<BusDevice>>> ReadBusDevices(const HostRoot& root) {
  auto entries = root.List(kDevices);
  if (!entries && IsGone(entries.error())) return std::optional<std::vector<BusDevice>>();
  if (!entries) return std::unexpected(entries.error());
  std::vector<BusDevice> devices;
  devices.reserve(entries->size());
  for (DirectoryEntry& entry : *entries) devices.push_back({.name = std::move(entry.name)});
  if (devices.empty()) return devices;
  std::ranges::sort(devices, {}, &BusDevice::name);

  const Result<bool> linked = ReadCharLinks(root, devices);
  if (!linked) return std::unexpected(linked.error());

  std::vector<BusDevice> present;
  present.reserve(devices.size());
  for (BusDevice& device : devices) {
    if (!device.char_device) {
      const Result<bool> read = ReadLinks(root, device);
      if (!read) return std::unexpected(read.error());
      if (!*read) continue;
      // Bound since sys/dev/char was listed, or that list is missing.
      if (!*linked || device.driver == kVhostDriver) {
        const Result<void> found = ReadOwnCharDevice(root, device);
        if (!found) return std::unexpected(found.error());
      }
    }
    const Result<void> node = ReadNode(root, device);
    if (!node) return std::unexpected(node.error());
    present.push_back(std::move(device));
  }
  return present;
}

}  // namespace vdpa
