#include "pci_attributes.h"

#include <utility>

#include "device_path.h"
#include "pci_uevent.h"

namespace vdpa {

std::string PciAttributes::PathOf(const std::string& name) const {
  return "sys/bus/pci/devices/" + std::string(address_) + "/" + name;
}

Result<std::optional<PciFunction>> PciAttributes::ReadIdentity() const {
  const std::string path = PathOf("uevent");
  const auto text = OrAbsent(root_->ReadAttribute(path));
  if (!text) return std::unexpected(text.error());
  if (!text->has_value()) return std::optional<PciFunction>();
  std::optional<PciUevent> event = ParsePciUevent(**text);
  if (!event) return Malformed("read " + path, "not the uevent of a PCI function");
  const auto revision = ReadNumber<std::uint8_t>("revision", 16);
  if (!revision) return std::unexpected(revision.error());
  return PciFunction{.address = std::string(address_),
                     .vendor_id = event->vendor_id,
                     .device_id = event->device_id,
                     .subsystem_vendor_id = event->subsystem_vendor_id,
                     .subsystem_device_id = event->subsystem_device_id,
                     .pci_class = event->pci_class,
                     .revision = *revision,
                     .driver = std::move(event->driver)};
}

Result<std::optional<PciFunction>> PciAttributes::ReadFunction() const {
  auto identity = ReadIdentity();
  if (!identity || !identity->has_value()) return identity;
  PciFunction row = std::move(**identity);
  const auto numa_node = ReadNumber<std::int32_t>("numa_node");
  if (!numa_node) return std::unexpected(numa_node.error());
  if (numa_node->has_value() && **numa_node >= 0) row.numa_node = *numa_node;
  const Result<bool> present = ReadOverride(row.driver_override);
  if (!present) return std::unexpected(present.error());
  if (!*present) return std::optional<PciFunction>();
  const auto iommu_group = ReadIommuGroup();
  if (!iommu_group) return std::unexpected(iommu_group.error());
  row.iommu_group = *iommu_group;
  return row;
}

Result<bool> PciAttributes::ReadOverride(std::optional<std::string>& driver_override) const {
  const auto text = OrAbsent(root_->ReadAttribute(PathOf("driver_override")));
  if (!text) return std::unexpected(text.error());
  // Every function of a live kernel has this file; without it, see whether the function is there.
  if (!text->has_value()) return root_->Exists("sys/bus/pci/devices/" + std::string(address_));
  // The kernel prints an unset pointer as "(null)"; since 2026 as nothing.
  if (!(*text)->empty() && **text != "(null)") driver_override = **text;
  return true;
}

Result<std::optional<std::uint32_t>> PciAttributes::ReadIommuGroup() const {
  const auto target = OrAbsent(root_->ReadLink(PathOf("iommu_group")));
  if (!target) return std::unexpected(target.error());
  if (!target->has_value()) return std::optional<std::uint32_t>();
  return ParseNumber<std::uint32_t>(LastComponent(**target));
}

Result<std::optional<PciAddress>> PciAttributes::ReadFunctionLink(const std::string& name) const {
  const auto target = OrAbsent(root_->ReadLink(PathOf(name)));
  if (!target) return std::unexpected(target.error());
  if (!target->has_value()) return std::optional<PciAddress>();
  return ParsePciAddress(LastComponent(**target));
}

}  // namespace vdpa
