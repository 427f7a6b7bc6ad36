#include "addon/rows.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>

#include "addon/environment.h"
#include "addon/text.h"

namespace vdpa::addon {

namespace {

/// Converts values and calls factories. Raw Node-API calls: a snapshot of 2,000 devices makes some
/// 100,000 of them. A failed one leaves undefined, which happens only while the environment ends.
class RowMaker {
 public:
  explicit RowMaker(Napi::Env env) : env_(env), environment_(Environment::Of(env)) {
    napi_get_undefined(env, &undefined_);
    napi_get_null(env, &null_);
  }

  template <typename... Values>
  napi_value Call(RowKind kind, const Values&... values) {
    static_assert(sizeof...(Values) <= kMaxValues);
    std::size_t position = 0;
    const std::array<napi_value, sizeof...(Values)> arguments = {
        Repeat(values, last_[position++])...};
    napi_value row = undefined_;
    napi_call_function(env_, undefined_, environment_.Factory(kind), arguments.size(),
                       arguments.data(), &row);
    return row;
  }

  template <typename Record>
  napi_value Rows(const std::vector<Record>& records) {
    napi_value array = undefined_;
    napi_create_array_with_length(env_, records.size(), &array);
    for (std::size_t from = 0; from < records.size(); from += kRowsPerScope) {
      const Napi::HandleScope scope(env_);
      last_ = {};
      const std::size_t to = std::min(from + kRowsPerScope, records.size());
      for (std::size_t index = from; index < to; ++index) {
        napi_set_element(env_, array, static_cast<std::uint32_t>(index), Row(records[index]));
      }
    }
    last_ = {};
    return array;
  }

  napi_value Row(const VdpaAbi& abi) {
    return Call(RowKind::kAbi, std::uint32_t{abi.family_id}, abi.max_attribute, abi.commands);
  }

  napi_value Row(const MgmtDevice& device) {
    return Call(RowKind::kManagementDevice, device.bus, device.name, device.supported_classes,
                device.max_vqs, device.supported_features, device.pci_address);
  }

  napi_value Row(const VdpaDevice& device) {
    return Call(RowKind::kVdpaDevice, device.name, device.mgmt_bus, device.mgmt_name,
                device.device_id, device.vendor_id, device.max_vqs, device.max_vq_size,
                device.min_vq_size);
  }

  napi_value Row(const BusDevice& device) {
    const CharDevice none;
    const CharDevice& node = device.char_device ? *device.char_device : none;
    return Call(RowKind::kBusDevice, device.name, device.parent_path, device.driver,
                device.char_device ? std::optional(node.name) : std::nullopt, node.major,
                node.minor, static_cast<std::uint32_t>(node.node));
  }

  napi_value Row(const PciFunction& function) {
    std::optional<std::uint32_t> total_vfs;
    std::optional<std::uint32_t> num_vfs;
    if (function.sriov) {
      total_vfs = function.sriov->total_vfs;
      num_vfs = function.sriov->num_vfs;
    }
    return Call(RowKind::kPciFunction, function.address, function.vendor_id, function.device_id,
                function.subsystem_vendor_id, function.subsystem_device_id, function.pci_class,
                function.revision, function.driver, function.numa_node, function.iommu_group,
                function.pf_address, function.vf_index, total_vfs, num_vfs);
  }

  napi_value Row(const ScalableFunction& function) {
    return Call(RowKind::kScalableFunction, function.name, function.pf_address, function.sf_number);
  }

  napi_value Row(const Netdev& netdev) {
    return Call(RowKind::kNetdev, netdev.name, netdev.ifindex, netdev.mac, netdev.phys_switch_id,
                netdev.phys_port_name, netdev.pci_address);
  }

  napi_value Row(const DeviceConfig& config) {
    return Call(RowKind::kDeviceConfig, config.name, config.device_id, config.negotiated_features,
                config.device_features, config.mac, config.net_status, config.max_vq_pairs,
                config.mtu, config.capacity_sectors, config.size_max, config.block_size,
                config.seg_max, config.num_queues, config.physical_block_exp,
                config.alignment_offset, config.min_io_size, config.opt_io_size,
                config.max_discard_sectors, config.max_discard_seg, config.discard_sector_alignment,
                config.max_write_zeroes_sectors, config.max_write_zeroes_seg, config.read_only,
                config.flush);
  }

  napi_value Row(const VendorStats& stats) {
    napi_value counters = undefined_;
    napi_create_array_with_length(env_, 2 * stats.counters.size(), &counters);
    std::uint32_t index = 0;
    for (const auto& [name, value] : stats.counters) {
      napi_set_element(env_, counters, index++, Convert(name));
      napi_set_element(env_, counters, index++, Convert(value));
    }
    return Call(RowKind::kVendorStats, stats.name, stats.device_id, stats.queue_index,
                stats.max_vq_pairs, stats.negotiated_features, counters);
  }

  napi_value Row(const CharDeviceAnswer& answer) {
    const CharDevice none;
    const CharDevice& node = answer.char_device ? *answer.char_device : none;
    return Call(RowKind::kResolved, static_cast<std::uint32_t>(answer.state), answer.vdpa_name,
                answer.driver, answer.char_device ? std::optional(node.name) : std::nullopt,
                node.major, node.minor);
  }

  napi_value Row(const Snapshot& snapshot) {
    return Call(RowKind::kSnapshot, snapshot.abi ? Row(*snapshot.abi) : null_,
                Rows(snapshot.mgmt_devices), Rows(snapshot.vdpa_devices),
                Rows(snapshot.bus_devices), Rows(snapshot.pci_functions),
                Rows(snapshot.scalable_functions), Rows(snapshot.netdevs), snapshot.consistent);
  }

 private:
  /// What the row before had in the same place: drivers, PFs and feature masks repeat from row to
  /// row.
  struct Last {
    std::string text;
    std::uint64_t word = 0;
    napi_value value = nullptr;
  };

  template <typename T>
  napi_value Repeat(const T& value, Last& /*last*/) {
    return Convert(value);
  }
  napi_value Repeat(const std::string& text, Last& last) {
    if (last.value == nullptr || last.text != text) {
      last.value = Convert(text);
      last.text = text;
    }
    return last.value;
  }
  napi_value Repeat(std::uint64_t word, Last& last) {
    if (last.value == nullptr || last.word != word) {
      last.value = Convert(word);
      last.word = word;
    }
    return last.value;
  }
  template <typename T>
  napi_value Repeat(const std::optional<T>& value, Last& last) {
    return value ? Repeat(*value, last) : null_;
  }

  // Exact types only: an implicit conversion between these would be a wrong row.
  napi_value Convert(napi_value value) { return value; }
  napi_value Convert(const std::string& text) { return TextOf(env_, text); }
  napi_value Convert(bool flag) {
    napi_value value = undefined_;
    napi_get_boolean(env_, flag, &value);
    return value;
  }
  napi_value Convert(std::uint8_t number) { return Convert(std::uint32_t{number}); }
  napi_value Convert(std::uint16_t number) { return Convert(std::uint32_t{number}); }
  napi_value Convert(std::uint32_t number) {
    napi_value value = undefined_;
    napi_create_uint32(env_, number, &value);
    return value;
  }
  napi_value Convert(std::int32_t number) {
    napi_value value = undefined_;
    napi_create_int32(env_, number, &value);
    return value;
  }
  napi_value Convert(std::uint64_t word) {
    napi_value value = undefined_;
    napi_create_bigint_uint64(env_, word, &value);
    return value;
  }
  napi_value Convert(const MacAddress& mac) {
    std::array<char, 18> text{};
    std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
                  mac[3], mac[4], mac[5]);
    return Convert(std::string(text.data()));
  }
  template <typename T>
  napi_value Convert(const std::optional<T>& value) {
    return value ? Convert(*value) : null_;
  }

  static constexpr std::size_t kRowsPerScope = 128;
  static constexpr std::size_t kMaxValues = 24;

  Napi::Env env_;
  const Environment& environment_;
  std::array<Last, kMaxValues> last_;
  napi_value undefined_ = nullptr;
  napi_value null_ = nullptr;
};

}  // namespace

Napi::Value MakeRow(Napi::Env env, const MgmtDevice& device) {
  return {env, RowMaker(env).Row(device)};
}

Napi::Value MakeRow(Napi::Env env, const VdpaDevice& device) {
  return {env, RowMaker(env).Row(device)};
}

Napi::Value MakeRow(Napi::Env env, const DeviceConfig& config) {
  return {env, RowMaker(env).Row(config)};
}

Napi::Value MakeRow(Napi::Env env, const VendorStats& stats) {
  return {env, RowMaker(env).Row(stats)};
}

Napi::Value MakeRow(Napi::Env env, const Snapshot& snapshot) {
  return {env, RowMaker(env).Row(snapshot)};
}

Napi::Value MakeRow(Napi::Env env, const CharDeviceAnswer& answer) {
  return {env, RowMaker(env).Row(answer)};
}

Napi::Value MakeRow(Napi::Env env, const std::vector<MgmtDevice>& devices) {
  return {env, RowMaker(env).Rows(devices)};
}

Napi::Value MakeRow(Napi::Env env, const std::vector<VdpaDevice>& devices) {
  return {env, RowMaker(env).Rows(devices)};
}

Napi::Value MakeRow(Napi::Env env, const std::optional<std::string>& text) {
  if (!text) return env.Null();
  return Napi::String::New(env, *text);
}

Napi::Value MakeRow(Napi::Env env, std::monostate /*nothing*/) { return env.Undefined(); }

}  // namespace vdpa::addon
