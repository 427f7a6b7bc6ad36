#include "pci.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "device_path.h"
#include "driver_index.h"
#include "number_text.h"
#include "paced_deadline.h"
#include "pci_address.h"
#include "pci_attributes.h"

namespace vdpa {
namespace {

constexpr std::string_view kVfLinkPrefix = "virtfn";

/// One directory entry of the bus.
struct Slot {
  PciAddress address;
  std::string text;
  bool is_vf = false;
  bool wanted = false;  ///< `row` has been read and belongs into the result
  PciFunction row = {};
};

struct VfPlace {
  std::uint32_t index = 0;
  Slot* slot = nullptr;
};

class PciReader {
 public:
  PciReader(const HostRoot& root, std::vector<Slot> slots, Deadline deadline)
      : root_(&root), slots_(std::move(slots)), drivers_(root), deadline_(deadline) {}

  Result<void> ReadPhysicalFunctions();
  Result<void> ReadCarrier(const PciAddress& address);
  std::vector<PciFunction> TakeRows() &&;

 private:
  Result<void> ReadPhysicalFunction(Slot& slot, std::uint16_t total_vfs);
  Result<std::vector<std::uint32_t>> ListVfs(const Slot& pf) const;
  Result<void> ReadVfs(Slot& pf, const std::vector<std::uint32_t>& indexes);
  Result<std::vector<VfPlace>> LocateVfs(const Slot& pf, const std::vector<std::uint32_t>& indexes);
  Result<void> ReadVf(const Slot& pf, Slot& vf, PciFunction row);

  Result<void> CheckTime();
  Slot* Find(const std::optional<PciAddress>& address);
  PciAttributes Of(const Slot& slot) const { return {*root_, slot.text}; }

  const HostRoot* root_;
  std::vector<Slot> slots_;
  DriverIndex drivers_;
  /// Over all functions: a tree that was given to us may hold any number of them, and a call that
  /// is not done soon after its deadline counts as stuck in the kernel.
  PacedDeadline deadline_;
};

Result<void> PciReader::CheckTime() {
  if (!deadline_.Passed()) return {};
  return std::unexpected(Error{Fault::kTimeout, "read PCI functions"});
}

Slot* PciReader::Find(const std::optional<PciAddress>& address) {
  if (!address) return nullptr;
  const auto found = std::ranges::lower_bound(slots_, *address, {}, &Slot::address);
  return found != slots_.end() && found->address == *address ? &*found : nullptr;
}

Result<void> PciReader::ReadPhysicalFunctions() {
  // In order of address: offsets are positive, so a PF comes before its VFs and they need not be
  // asked whether they are PFs.
  for (Slot& slot : slots_) {
    if (slot.is_vf) continue;
    const Result<void> in_time = CheckTime();
    if (!in_time) return in_time;
    const auto total = Of(slot).ReadNumber<std::uint16_t>("sriov_totalvfs");
    if (!total) return std::unexpected(total.error());
    const std::uint16_t total_vfs = total->value_or(0);
    if (total_vfs == 0) continue;
    const Result<void> read = ReadPhysicalFunction(slot, total_vfs);
    if (!read && !IsGone(read.error())) return read;
  }
  return {};
}

Result<void> PciReader::ReadPhysicalFunction(Slot& slot, std::uint16_t total_vfs) {
  auto row = Of(slot).ReadFunction();
  if (!row) return std::unexpected(row.error());
  const auto indexes = ListVfs(slot);
  if (!indexes) return std::unexpected(indexes.error());
  slot.row = std::move(*row);
  slot.row.sriov = SriovCapability{total_vfs, static_cast<std::uint32_t>(indexes->size())};
  slot.wanted = true;
  return ReadVfs(slot, *indexes);
}

/// The numbers N of the PF's links virtfnN, in order. They have gaps while VFs come or go.
Result<std::vector<std::uint32_t>> PciReader::ListVfs(const Slot& pf) const {
  const auto entries = root_->List("sys/bus/pci/devices/" + pf.text);
  if (!entries) return std::unexpected(entries.error());
  std::vector<std::uint32_t> indexes;
  for (const DirectoryEntry& entry : *entries) {
    std::string_view name = entry.name;
    if (!name.starts_with(kVfLinkPrefix)) continue;
    name.remove_prefix(kVfLinkPrefix.size());
    const auto index = ParseNumber<std::uint16_t>(name);
    if (index) indexes.push_back(*index);
  }
  std::ranges::sort(indexes);
  // No PF has more VFs than the bus has functions, whatever a captured tree claims.
  indexes.resize(std::min(indexes.size(), slots_.size()));
  return indexes;
}

Result<std::vector<VfPlace>> PciReader::LocateVfs(const Slot& pf,
                                                  const std::vector<std::uint32_t>& indexes) {
  std::vector<VfPlace> places;
  const auto offset = Of(pf).ReadNumber<std::uint16_t>("sriov_offset");
  if (!offset) return std::unexpected(offset.error());
  const auto stride = Of(pf).ReadNumber<std::uint16_t>("sriov_stride");
  if (!stride) return std::unexpected(stride.error());

  const auto linked = [&](std::uint32_t index) {
    return Of(pf).ReadFunctionLink("virtfn" + std::to_string(index));
  };

  // No PF with VFs has offset 0.
  if (offset->value_or(0) != 0) {
    const auto calculated = [&](std::uint32_t index) {
      return VfAddress(pf.address, offset->value_or(0), stride->value_or(0), index);
    };
    // Both can change with the number of VFs, between two reads: the first and the last link
    // confirm them.
    bool confirmed = true;
    for (const std::uint32_t index : {indexes.front(), indexes.back()}) {
      const auto link = linked(index);
      if (!link) return std::unexpected(link.error());
      const auto address = calculated(index);
      confirmed = confirmed && address.has_value() && *link == address;
    }
    if (confirmed) {
      for (const std::uint32_t index : indexes) {
        Slot* const slot = Find(calculated(index));
        if (slot != nullptr) places.push_back({index, slot});
      }
      return places;
    }
  }
  // Older kernels, platforms that number VFs in their own way, or VFs on their way in or out.
  for (const std::uint32_t index : indexes) {
    const Result<void> in_time = CheckTime();
    if (!in_time) return std::unexpected(in_time.error());
    const auto address = linked(index);
    if (!address) return std::unexpected(address.error());
    Slot* const slot = Find(*address);
    if (slot != nullptr) places.push_back({index, slot});
  }
  return places;
}

Result<void> PciReader::ReadVfs(Slot& pf, const std::vector<std::uint32_t>& indexes) {
  if (indexes.empty()) return {};
  const auto places = LocateVfs(pf, indexes);
  if (!places) return std::unexpected(places.error());
  std::optional<PciFunction> shared;
  for (const VfPlace& place : *places) {
    const Result<void> in_time = CheckTime();
    if (!in_time) return in_time;
    place.slot->is_vf = true;
    if (!shared) {
      // SR-IOV gives all VFs of a PF the same ids, class and revision; the kernel itself reads them
      // from the first VF and copies them. The NUMA node is that of the bus they share.
      auto identity = Of(*place.slot).ReadIdentity();
      if (!identity && IsGone(identity.error())) continue;
      if (!identity) return std::unexpected(identity.error());
      shared = std::move(*identity);
      shared->numa_node = pf.row.numa_node;
      shared->pf_address = pf.text;
    }
    PciFunction row = *shared;
    row.address = place.slot->text;
    row.vf_index = place.index;
    const Result<void> read = ReadVf(pf, *place.slot, std::move(row));
    if (!read && !IsGone(read.error())) return read;
  }
  return {};
}

/// Adds what is each VF's own.
Result<void> PciReader::ReadVf(const Slot& pf, Slot& vf, PciFunction row) {
  // On a live host the listing said so a moment ago. A captured one may have links without targets.
  if (!root_->Live()) {
    const Result<bool> there = root_->Exists("sys/bus/pci/devices/" + vf.text);
    if (!there) return std::unexpected(there.error());
    if (!*there) return {};
  }
  Result<std::string> driver = drivers_.DriverOf(vf.address, vf.text);
  if (!driver) return std::unexpected(driver.error());
  row.driver = std::move(*driver);
  // Without a group on the PF no IOMMU translates for this device, so its VFs have none either.
  // (The pretended group that vfio gives a VF in its no-IOMMU mode isolates nothing.)
  if (pf.row.iommu_group) {
    const auto group = Of(vf).ReadIommuGroup();
    if (!group) return std::unexpected(group.error());
    row.iommu_group = *group;
  }
  vf.row = std::move(row);
  vf.wanted = true;
  return {};
}

Result<void> PciReader::ReadCarrier(const PciAddress& address) {
  Slot* const slot = Find(address);
  if (slot == nullptr || slot->wanted) return {};
  const Result<void> in_time = CheckTime();
  if (!in_time) return in_time;
  auto row = Of(*slot).ReadFunction();
  if (!row && IsGone(row.error())) return {};
  if (!row) return std::unexpected(row.error());
  // The kernel links a VF to its PF only when it made the VF itself; a VF that was passed through
  // to this machine looks like any function.
  const auto link = Of(*slot).ReadFunctionLink("physfn");
  if (!link) return std::unexpected(link.error());
  const std::optional<PciAddress> pf = *link;
  if (pf) row->pf_address = FormatPciAddress(*pf);
  slot->row = std::move(*row);
  slot->wanted = true;
  return {};
}

std::vector<PciFunction> PciReader::TakeRows() && {
  std::vector<PciFunction> rows;
  for (Slot& slot : slots_) {
    if (slot.wanted) rows.push_back(std::move(slot.row));
  }
  return rows;
}

}  // namespace

Result<std::vector<PciFunction>> ReadPciFunctions(const HostRoot& root,
                                                  std::span<const std::string> carriers,
                                                  Deadline deadline) {
  auto entries = OrEmpty(root.List("sys/bus/pci/devices"));
  if (!entries) return std::unexpected(entries.error());
  std::vector<Slot> slots;
  slots.reserve(entries->size());
  for (DirectoryEntry& entry : *entries) {
    const auto address = ParsePciAddress(entry.name);
    if (address) slots.push_back({*address, std::move(entry.name)});
  }
  std::ranges::sort(slots, {}, &Slot::address);

  PciReader reader(root, std::move(slots), deadline);
  const Result<void> physical = reader.ReadPhysicalFunctions();
  if (!physical) return std::unexpected(physical.error());
  for (const std::string& carrier : carriers) {
    const auto address = ParsePciAddress(carrier);
    if (!address) continue;
    const Result<void> read = reader.ReadCarrier(*address);
    if (!read) return std::unexpected(read.error());
  }
  return std::move(reader).TakeRows();
}

Result<std::optional<std::string>> ReadDriverOverride(const HostRoot& root,
                                                      const std::string& pci_address) {
  if (!ParsePciAddress(pci_address)) {
    return Malformed("read driver_override of " + pci_address, "not a PCI address");
  }
  return PciAttributes(root, pci_address).ReadOverride();
}

}  // namespace vdpa
