#include "driver_binding.h"

#include <string_view>

#include "vdpa_bus.h"

namespace vdpa {
namespace {

constexpr std::string_view kBus = "sys/bus/vdpa/";

std::string DevicePath(const std::string& name, std::string_view attribute) {
  return std::string(kBus).append("devices/").append(name).append("/").append(attribute);
}

std::string DriverPath(const std::string& driver, std::string_view attribute) {
  return std::string(kBus).append("drivers/").append(driver).append("/").append(attribute);
}

}  // namespace

Result<void> BindDriver(const HostRoot& root, const std::string& name, const std::string& driver) {
  return root.WriteAttribute(DriverPath(driver, "bind"), name);
}

Result<void> UnbindDriver(const HostRoot& root, const std::string& name,
                          const std::string& driver) {
  return root.WriteAttribute(DriverPath(driver, "unbind"), name);
}

Result<bool> HasOverride(const HostRoot& root, const std::string& name) {
  return root.Exists(DevicePath(name, "driver_override"));
}

Result<std::string> ReadOverride(const HostRoot& root, const std::string& name) {
  auto text = root.ReadAttribute(DevicePath(name, "driver_override"));
  if (text && *text == "(null)") return std::string();
  return text;
}

Result<void> WriteOverride(const HostRoot& root, const std::string& name,
                           const std::string& driver) {
  return root.WriteAttribute(DevicePath(name, "driver_override"), driver + "\n");
}

Result<bool> IsBeingUnbound(const HostRoot& root, const std::string& name) {
  const auto uevent = root.ReadAttribute(DevicePath(name, "uevent"));
  if (!uevent) return std::unexpected(uevent.error());
  if (!uevent->starts_with("DRIVER=") && !uevent->contains("\nDRIVER=")) return false;
  // Second: a device that was bound in between has its link by now.
  const auto driver = ReadVdpaDriver(root, name);
  if (!driver) return std::unexpected(driver.error());
  return driver->empty();
}

}  // namespace vdpa
