#include "vdpa_codec.h"

#include <array>
#include <utility>

#include "attribute.h"
#include "vdpa_abi.h"

namespace vdpa {
namespace {

constexpr auto kRequired = Presence::kRequired;

constexpr std::array kMgmtDeviceFields = {
    Row<MgmtDevice, &MgmtDevice::bus>(kAttrMgmtDevBusName),
    Row<MgmtDevice, &MgmtDevice::name>(kAttrMgmtDevName, kRequired),
    Row<MgmtDevice, &MgmtDevice::supported_classes>(kAttrMgmtDevSupportedClasses),
    Row<MgmtDevice, &MgmtDevice::max_vqs>(kAttrMgmtDevMaxVqs),
    Row<MgmtDevice, &MgmtDevice::supported_features>(kAttrMgmtDevSupportedFeatures),
};

constexpr std::array kVdpaDeviceFields = {
    Row<VdpaDevice, &VdpaDevice::mgmt_bus>(kAttrMgmtDevBusName),
    Row<VdpaDevice, &VdpaDevice::mgmt_name>(kAttrMgmtDevName, kRequired),
    Row<VdpaDevice, &VdpaDevice::name>(kAttrDevName, kRequired),
    Row<VdpaDevice, &VdpaDevice::device_id>(kAttrDevId),
    Row<VdpaDevice, &VdpaDevice::vendor_id>(kAttrDevVendorId),
    Row<VdpaDevice, &VdpaDevice::max_vqs>(kAttrDevMaxVqs),
    Row<VdpaDevice, &VdpaDevice::max_vq_size>(kAttrDevMaxVqSize),
    Row<VdpaDevice, &VdpaDevice::min_vq_size>(kAttrDevMinVqSize),
};

// Without attribute 21, whose meaning depends on the kernel.
constexpr std::array kDeviceConfigFields = {
    Row<DeviceConfig, &DeviceConfig::name>(kAttrDevName, kRequired),
    Row<DeviceConfig, &DeviceConfig::device_id>(kAttrDevId),
    Row<DeviceConfig, &DeviceConfig::mac>(kAttrNetMac),
    Row<DeviceConfig, &DeviceConfig::net_status>(kAttrNetStatus),
    Row<DeviceConfig, &DeviceConfig::max_vq_pairs>(kAttrNetMaxVqPairs),
    Row<DeviceConfig, &DeviceConfig::mtu>(kAttrNetMtu),
    Row<DeviceConfig, &DeviceConfig::negotiated_features>(kAttrNegotiatedFeatures),
    Row<DeviceConfig, &DeviceConfig::device_features>(kAttrDevFeatures),
    Row<DeviceConfig, &DeviceConfig::size_max>(kAttrBlkSizeMax),
    Row<DeviceConfig, &DeviceConfig::block_size>(kAttrBlkBlockSize),
    Row<DeviceConfig, &DeviceConfig::seg_max>(kAttrBlkSegMax),
    Row<DeviceConfig, &DeviceConfig::num_queues>(kAttrBlkNumQueues),
    Row<DeviceConfig, &DeviceConfig::physical_block_exp>(kAttrBlkPhysicalBlockExp),
    Row<DeviceConfig, &DeviceConfig::alignment_offset>(kAttrBlkAlignmentOffset),
    Row<DeviceConfig, &DeviceConfig::min_io_size>(kAttrBlkMinIoSize),
    Row<DeviceConfig, &DeviceConfig::opt_io_size>(kAttrBlkOptIoSize),
    Row<DeviceConfig, &DeviceConfig::max_discard_sectors>(kAttrBlkMaxDiscardSectors),
    Row<DeviceConfig, &DeviceConfig::max_discard_seg>(kAttrBlkMaxDiscardSeg),
    Row<DeviceConfig, &DeviceConfig::discard_sector_alignment>(kAttrBlkDiscardSectorAlignment),
    Row<DeviceConfig, &DeviceConfig::max_write_zeroes_sectors>(kAttrBlkMaxWriteZeroesSectors),
    Row<DeviceConfig, &DeviceConfig::max_write_zeroes_seg>(kAttrBlkMaxWriteZeroesSeg),
    Row<DeviceConfig, &DeviceConfig::read_only>(kAttrBlkReadOnly),
    Row<DeviceConfig, &DeviceConfig::flush>(kAttrBlkFlush),
};

constexpr std::array kVendorStatsFields = {
    Row<VendorStats, &VendorStats::name>(kAttrDevName, kRequired),
    Row<VendorStats, &VendorStats::device_id>(kAttrDevId),
    Row<VendorStats, &VendorStats::max_vq_pairs>(kAttrNetMaxVqPairs),
    Row<VendorStats, &VendorStats::negotiated_features>(kAttrNegotiatedFeatures),
    Row<VendorStats, &VendorStats::queue_index>(kAttrQueueIndex),
};

constexpr std::array kAddFields = {
    Row<AddRequest, &AddRequest::mgmt_bus>(kAttrMgmtDevBusName),
    Row<AddRequest, &AddRequest::mgmt_name>(kAttrMgmtDevName, kRequired),
    Row<AddRequest, &AddRequest::name>(kAttrDevName, kRequired),
    Row<AddRequest, &AddRequest::mac>(kAttrNetMac),
    Row<AddRequest, &AddRequest::max_vq_pairs>(kAttrNetMaxVqPairs),
    Row<AddRequest, &AddRequest::mtu>(kAttrNetMtu),
    Row<AddRequest, &AddRequest::features>(kAttrDevFeatures),
};

}  // namespace

Result<MgmtDevice> ParseMgmtDevice(std::span<const std::byte> attributes) {
  return ParseRecord<MgmtDevice>("MGMTDEV_GET", kMgmtDeviceFields, attributes);
}

Result<VdpaDevice> ParseVdpaDevice(std::span<const std::byte> attributes) {
  return ParseRecord<VdpaDevice>("DEV_GET", kVdpaDeviceFields, attributes);
}

Result<DeviceConfig> ParseDeviceConfig(std::span<const std::byte> attributes, const VdpaAbi& abi) {
  const auto attribute_21 = [&abi](AttributeReader& reader, const Attribute& from,
                                   DeviceConfig& into) {
    if (from.type != kAttrBlkCapacity) return;
    if (abi.max_attribute == kMaxAttributeLinux61) {
      reader.Read(from, into.device_features);
    } else if (abi.max_attribute > kMaxAttributeLinux61) {
      reader.Read(from, into.capacity_sectors);
    }
  };
  return ParseRecord<DeviceConfig>("DEV_CONFIG_GET", kDeviceConfigFields, attributes, attribute_21);
}

Result<VendorStats> ParseVendorStats(std::span<const std::byte> attributes) {
  constexpr auto kOp = "DEV_VSTATS_GET";
  // Counters are pairs: a name, then its value.
  std::optional<std::string> pending;
  const auto counter = [&pending](AttributeReader& reader, const Attribute& from,
                                  VendorStats& into) {
    if (from.type == kAttrVendorAttrName) {
      if (pending) reader.Fail("counter " + *pending + " has no value");
      reader.Read(from, pending);
    } else if (from.type == kAttrVendorAttrValue) {
      std::uint64_t value = 0;
      reader.Read(from, value);
      if (!pending) {
        reader.Fail("a counter value without a name");
        return;
      }
      into.counters.emplace_back(*pending, value);
      pending.reset();
    }
  };
  auto stats = ParseRecord<VendorStats>(kOp, kVendorStatsFields, attributes, counter);
  if (stats && pending) return Malformed(kOp, "counter " + *pending + " has no value");
  return stats;
}

std::vector<std::byte> BuildMgmtDeviceName(std::string_view bus, std::string_view name) {
  AttributeWriter writer;
  // Not an empty string: the kernel matches the presence of the bus, too.
  if (!bus.empty()) writer.Add(kAttrMgmtDevBusName, bus);
  return writer.Add(kAttrMgmtDevName, name).Bytes();
}

std::vector<std::byte> BuildDeviceName(std::string_view name) {
  return AttributeWriter().Add(kAttrDevName, name).Bytes();
}

std::vector<std::byte> BuildVendorStatsRequest(std::string_view name, std::uint32_t queue_index) {
  return AttributeWriter().Add(kAttrDevName, name).Add(kAttrQueueIndex, queue_index).Bytes();
}

std::vector<std::byte> BuildSetMac(std::string_view name, const MacAddress& mac) {
  return AttributeWriter().Add(kAttrDevName, name).Add(kAttrNetMac, mac).Bytes();
}

std::vector<std::byte> BuildAdd(const AddRequest& request) {
  AttributeWriter writer;
  if (!request.mgmt_bus.empty()) {
    writer.Add(kAttrMgmtDevBusName, std::string_view(request.mgmt_bus));
  }
  writer.Add(kAttrMgmtDevName, std::string_view(request.mgmt_name));
  writer.Add(kAttrDevName, std::string_view(request.name));
  if (request.mac) writer.Add(kAttrNetMac, *request.mac);
  if (request.max_vq_pairs) writer.Add(kAttrNetMaxVqPairs, *request.max_vq_pairs);
  if (request.mtu) writer.Add(kAttrNetMtu, *request.mtu);
  if (request.features) writer.Add(kAttrDevFeatures, *request.features);
  return writer.Bytes();
}

Result<AddRequest> ParseAdd(std::span<const std::byte> attributes) {
  return ParseRecord<AddRequest>("DEV_NEW", kAddFields, attributes);
}

}  // namespace vdpa
