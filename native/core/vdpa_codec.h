// The `vdpa` family's messages: attributes to records, requests to attributes. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "records.h"
#include "result.h"

namespace vdpa {

/// What to create (DEV_NEW). What is unset is left to the driver; mlx5 then makes one queue pair.
struct AddRequest {
  std::string name;
  std::string mgmt_bus;  ///< empty for a management device without a bus
  std::string mgmt_name;
  std::optional<MacAddress> mac = std::nullopt;
  std::optional<std::uint16_t> mtu = std::nullopt;
  std::optional<std::uint16_t> max_vq_pairs = std::nullopt;
  std::optional<std::uint64_t> features = std::nullopt;

  bool operator==(const AddRequest&) const = default;
};

// Each takes the attributes behind one generic netlink header.
Result<MgmtDevice> ParseMgmtDevice(std::span<const std::byte> attributes);
Result<VdpaDevice> ParseVdpaDevice(std::span<const std::byte> attributes);
/// The ABI decides what attribute 21 is.
Result<DeviceConfig> ParseDeviceConfig(std::span<const std::byte> attributes, const VdpaAbi& abi);
Result<VendorStats> ParseVendorStats(std::span<const std::byte> attributes);

// Each builds the attributes of one request.
std::vector<std::byte> BuildMgmtDeviceName(std::string_view bus, std::string_view name);
std::vector<std::byte> BuildDeviceName(std::string_view name);
std::vector<std::byte> BuildVendorStatsRequest(std::string_view name, std::uint32_t queue_index);
std::vector<std::byte> BuildSetMac(std::string_view name, const MacAddress& mac);
std::vector<std::byte> BuildAdd(const AddRequest& request);
/// The reverse of BuildAdd; a recording and a test read requests with it.
Result<AddRequest> ParseAdd(std::span<const std::byte> attributes);

}  // namespace vdpa
