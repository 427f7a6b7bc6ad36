#include "driver_index.h"

#include "device_path.h"

namespace vdpa {

Result<std::string> DriverIndex::DriverOf(const PciAddress& address, const std::string& text) {
  const auto known = driver_of_.find(address);
  if (known != driver_of_.end()) return known->second;

  const auto target = root_->ReadLinkIfThere("sys/bus/pci/devices/" + text + "/driver");
  if (!target) return target;
  std::string driver(LastComponent(*target));
  if (!driver.empty() && listed_.insert(driver).second) {
    const Result<void> learnt = Learn(driver);
    if (!learnt) return std::unexpected(learnt.error());
  }
  return driver;
}

Result<void> DriverIndex::Learn(const std::string& driver) {
  // The directory also holds `bind`, `module` and other names that are no addresses. That it may be
  // gone (module removed, captured without it) only costs one readlink per function.
  const auto entries = OrEmpty(root_->List("sys/bus/pci/drivers/" + driver));
  if (!entries) return std::unexpected(entries.error());
  for (const DirectoryEntry& entry : *entries) {
    const auto address = ParsePciAddress(entry.name);
    if (address) driver_of_.insert_or_assign(*address, driver);
  }
  return {};
}

}  // namespace vdpa
