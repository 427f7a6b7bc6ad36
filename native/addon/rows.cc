#include "addon/rows.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace vdpa::addon {

namespace {

void PackRow(RowPacker& packer, const VdpaAbi& abi) {
  packer.Row(abi.family_id, abi.max_attribute, abi.commands);
}

void PackRow(RowPacker& packer, const MgmtDevice& device) {
  packer.Row(device.bus, device.name, device.supported_classes, device.max_vqs,
             device.supported_features, device.pci_address);
}

void PackRow(RowPacker& packer, const VdpaDevice& device) {
  packer.Row(device.name, device.mgmt_bus, device.mgmt_name, device.device_id, device.vendor_id,
             device.max_vqs, device.max_vq_size, device.min_vq_size);
}

void PackRow(RowPacker& packer, const BusDevice& device) {
  std::optional<std::string> node_name;
  CharDevice node;
  if (device.char_device) {
    node = *device.char_device;
    node_name = node.name;
  }
  packer.Row(device.name, device.parent_path, device.driver, node_name, node.major, node.minor,
             static_cast<std::uint8_t>(node.node));
}

void PackRow(RowPacker& packer, const PciFunction& function) {
  std::optional<std::uint32_t> total_vfs;
  std::optional<std::uint32_t> num_vfs;
  if (function.sriov) {
    total_vfs = function.sriov->total_vfs;
    num_vfs = function.sriov->num_vfs;
  }
  packer.Row(function.address, function.vendor_id, function.device_id, function.subsystem_vendor_id,
             function.subsystem_device_id, function.pci_class, function.revision, function.driver,
             function.numa_node, function.iommu_group, function.pf_address, function.vf_index,
             total_vfs, num_vfs);
}

void PackRow(RowPacker& packer, const ScalableFunction& function) {
  packer.Row(function.name, function.pf_address, function.sf_number);
}

void PackRow(RowPacker& packer, const Netdev& netdev) {
  packer.Row(netdev.name, netdev.ifindex, netdev.mac, netdev.phys_switch_id, netdev.phys_port_name,
             netdev.pci_address);
}

void PackRow(RowPacker& packer, const Uevent& event) {
  packer.Row(event.action, event.subsystem, event.devpath, event.seqnum);
}

template <typename Record>
void PackList(RowPacker& packer, const std::vector<Record>& records) {
  packer.BeginList(records.size());
  for (const Record& record : records) PackRow(packer, record);
}

}  // namespace

PackedRows Pack(const Snapshot& snapshot) {
  RowPacker packer;
  packer.Flag(snapshot.consistent);
  packer.Row(snapshot.uevent_seqnum);
  packer.BeginList(snapshot.abi ? 1 : 0);
  if (snapshot.abi) PackRow(packer, *snapshot.abi);
  PackList(packer, snapshot.mgmt_devices);
  PackList(packer, snapshot.vdpa_devices);
  PackList(packer, snapshot.bus_devices);
  PackList(packer, snapshot.pci_functions);
  PackList(packer, snapshot.scalable_functions);
  PackList(packer, snapshot.netdevs);
  return std::move(packer).Take();
}

PackedRows Pack(const FamilyLists& lists) {
  RowPacker packer;
  PackList(packer, lists.mgmt_devices);
  PackList(packer, lists.vdpa_devices);
  return std::move(packer).Take();
}

PackedRows Pack(const NamedDevices& devices) {
  RowPacker packer;
  PackList(packer, devices.vdpa_devices);
  PackList(packer, devices.bus_devices);
  return std::move(packer).Take();
}

PackedRows Pack(const DeviceConfig& config) {
  RowPacker packer;
  packer.Row(
      config.name, config.device_id, config.negotiated_features, config.device_features, config.mac,
      config.net_status, config.max_vq_pairs, config.mtu, config.capacity_sectors, config.size_max,
      config.block_size, config.seg_max, config.num_queues, config.physical_block_exp,
      config.alignment_offset, config.min_io_size, config.opt_io_size, config.max_discard_sectors,
      config.max_discard_seg, config.discard_sector_alignment, config.max_write_zeroes_sectors,
      config.max_write_zeroes_seg, config.read_only, config.flush);
  return std::move(packer).Take();
}

PackedRows Pack(const VendorStats& stats) {
  RowPacker packer;
  packer.Row(stats.name, stats.device_id, stats.queue_index, stats.max_vq_pairs,
             stats.negotiated_features);
  packer.BeginList(stats.counters.size());
  for (const auto& [name, value] : stats.counters) packer.Row(name, value);
  return std::move(packer).Take();
}

PackedRows Pack(const std::vector<Uevent>& events) {
  RowPacker packer;
  PackList(packer, events);
  return std::move(packer).Take();
}

}  // namespace vdpa::addon
