#include "vdpa_family.h"

#include <array>
#include <cerrno>
#include <string>
#include <utility>

namespace vdpa {
namespace {

enum class Kind : std::uint8_t { kGet, kDump, kChange };

const char* NameOf(Command command) {
  static constexpr std::array kNames = {"UNSPEC",         "MGMTDEV_NEW",    "MGMTDEV_GET",
                                        "DEV_NEW",        "DEV_DEL",        "DEV_GET",
                                        "DEV_CONFIG_GET", "DEV_VSTATS_GET", "DEV_ATTR_SET"};
  return kNames.at(command);
}

const char* SinceOf(Command command) {
  static constexpr std::array kSince = {"5.12", "5.12", "5.12", "5.12", "5.12",
                                        "5.12", "5.16", "5.19", "6.12"};
  return kSince.at(command);
}

std::unexpected<Error> Unsupported(Command command, std::string message) {
  return std::unexpected(
      Error{Fault::kSystem, NameOf(command), EOPNOTSUPP, std::move(message), std::nullopt});
}

// A name with a NUL would reach the kernel as another, shorter name.
Result<void> CheckName(Command command, std::string_view name) {
  constexpr std::size_t kMaxNameBytes = 255;
  if (name.empty() || name.size() > kMaxNameBytes || name.contains('\0')) {
    return std::unexpected(Error{Fault::kSystem, NameOf(command), EINVAL,
                                 "a name has 1 to 255 bytes, none of them NUL", std::nullopt});
  }
  return {};
}

Result<void> CheckMgmtName(Command command, std::string_view bus, std::string_view name) {
  auto checked = CheckName(command, name);
  if (!checked || bus.empty()) return checked;
  return CheckName(command, bus);
}

// ENODEV about the one thing that was asked for.
template <typename T>
Result<T> GoneIfNoDevice(Result<T> result) {
  if (!result && result.error().fault == Fault::kSystem && result.error().errno_value == ENODEV) {
    Error error = result.error();
    error.fault = Fault::kGone;
    return std::unexpected(std::move(error));
  }
  return result;
}

template <typename T>
Result<void> WithoutValue(const Result<T>& result) {
  if (!result) return std::unexpected(result.error());
  return {};
}

}  // namespace

bool IsRefusal(const Error& error) {
  return error.fault == Fault::kSystem &&
         (error.errno_value == EINVAL || error.errno_value == EOPNOTSUPP);
}

struct VdpaFamily::Call {
  Kind kind;
  Command command;
  const std::vector<std::byte>& attributes;
  const GenlVisitor& visit;
};

Result<VdpaAbi> VdpaFamily::Abi(Deadline deadline) {
  if (genetlink_ && !genetlink_->Usable()) {
    genetlink_.reset();
    abi_.reset();
  }
  if (!genetlink_) {
    auto channel = open_channel_();
    if (!channel) return std::unexpected(channel.error());
    genetlink_ = std::make_unique<Genetlink>(*std::move(channel));
  }
  if (abi_) return *abi_;
  auto abi = genetlink_->ResolveFamily(kFamilyName, deadline);
  if (abi) abi_ = *abi;
  return abi;
}

Result<Acknowledgement> VdpaFamily::RunOnce(const Call& call, const VdpaAbi& abi,
                                            Deadline deadline) {
  if (!HasCommand(abi, call.command)) {
    return Unsupported(call.command, std::string("this kernel's vdpa family has no ") +
                                         NameOf(call.command) + " (Linux " + SinceOf(call.command) +
                                         " has)");
  }
  const GenlRequest request{.op = NameOf(call.command),
                            .family_id = abi.family_id,
                            .command = call.command,
                            .version = kFamilyVersion,
                            .attributes = call.attributes};
  if (call.kind == Kind::kChange) return genetlink_->Change(request, deadline);
  auto done = call.kind == Kind::kDump ? genetlink_->Dump(request, deadline, call.visit)
                                       : genetlink_->Get(request, deadline, call.visit);
  if (!done) return std::unexpected(done.error());
  return Acknowledgement{};
}

// ENOENT for a whole request means that the family is not known by this id: the module went, and
// may have come back with another. A driver's own ENOENT leaves the id as it was.
Result<Acknowledgement> VdpaFamily::Run(const Call& call, Deadline deadline) {
  auto abi = Abi(deadline);
  if (!abi) return std::unexpected(abi.error());
  auto done = RunOnce(call, *abi, deadline);
  if (done || done.error().fault != Fault::kSystem || done.error().errno_value != ENOENT) {
    return done;
  }
  const std::uint16_t refused = abi->family_id;
  abi_.reset();
  abi = Abi(deadline);
  if (!abi) return std::unexpected(abi.error());
  if (abi->family_id == refused) return done;
  return RunOnce(call, *abi, deadline);
}

template <typename Record, typename Parse>
Result<std::vector<Record>> VdpaFamily::Dump(Command command, const Parse& parse,
                                             Deadline deadline) {
  std::vector<Record> rows;
  const std::vector<std::byte> no_attributes;
  const GenlVisitor visit = [&rows, &parse](const GenlMessage& message) -> Result<void> {
    auto row = parse(message.attributes);
    if (!row) return std::unexpected(row.error());
    rows.push_back(*std::move(row));
    return {};
  };
  auto done = Run({Kind::kDump, command, no_attributes, visit}, deadline);
  if (!done) return std::unexpected(done.error());
  return rows;
}

template <typename Record, typename Parse>
Result<Record> VdpaFamily::Get(Command command, const std::vector<std::byte>& attributes,
                               const Parse& parse, Deadline deadline) {
  Record row;
  const GenlVisitor visit = [&row, &parse](const GenlMessage& message) -> Result<void> {
    auto parsed = parse(message.attributes);
    if (!parsed) return std::unexpected(parsed.error());
    row = *std::move(parsed);
    return {};
  };
  auto done = Run({Kind::kGet, command, attributes, visit}, deadline);
  if (!done) return std::unexpected(done.error());
  return row;
}

Result<Acknowledgement> VdpaFamily::Change(Command command,
                                           const std::vector<std::byte>& attributes,
                                           Deadline deadline) {
  return Run({Kind::kChange, command, attributes, {}}, deadline);
}

Result<std::vector<MgmtDevice>> VdpaFamily::ReadMgmtDevices(Deadline deadline) {
  return Dump<MgmtDevice>(kMgmtDevGet, ParseMgmtDevice, deadline);
}

Result<std::vector<VdpaDevice>> VdpaFamily::ReadDevices(Deadline deadline) {
  return Dump<VdpaDevice>(kDevGet, ParseVdpaDevice, deadline);
}

Result<MgmtDevice> VdpaFamily::ReadMgmtDevice(std::string_view bus, std::string_view name,
                                              Deadline deadline) {
  auto checked = CheckMgmtName(kMgmtDevGet, bus, name);
  if (!checked) return std::unexpected(checked.error());
  return GoneIfNoDevice(
      Get<MgmtDevice>(kMgmtDevGet, BuildMgmtDeviceName(bus, name), ParseMgmtDevice, deadline));
}

Result<VdpaDevice> VdpaFamily::ReadDevice(std::string_view name, Deadline deadline) {
  auto checked = CheckName(kDevGet, name);
  if (!checked) return std::unexpected(checked.error());
  return GoneIfNoDevice(Get<VdpaDevice>(kDevGet, BuildDeviceName(name), ParseVdpaDevice, deadline));
}

Result<DeviceConfig> VdpaFamily::ReadConfig(std::string_view name, Deadline deadline) {
  auto checked = CheckName(kDevConfigGet, name);
  if (!checked) return std::unexpected(checked.error());
  // Read when the reply is there: the request itself may have resolved the family anew.
  const auto parse = [this](std::span<const std::byte> attributes) {
    return ParseDeviceConfig(attributes, abi_.value_or(VdpaAbi{}));
  };
  return GoneIfNoDevice(Get<DeviceConfig>(kDevConfigGet, BuildDeviceName(name), parse, deadline));
}

Result<VendorStats> VdpaFamily::ReadVendorStats(std::string_view name, std::uint32_t queue_index,
                                                Deadline deadline) {
  auto checked = CheckName(kDevVstatsGet, name);
  if (!checked) return std::unexpected(checked.error());
  return GoneIfNoDevice(Get<VendorStats>(kDevVstatsGet, BuildVendorStatsRequest(name, queue_index),
                                         ParseVendorStats, deadline));
}

Result<void> VdpaFamily::AddDevice(const AddRequest& request, Deadline deadline) {
  auto checked = CheckName(kDevNew, request.name);
  if (checked) checked = CheckMgmtName(kDevNew, request.mgmt_bus, request.mgmt_name);
  if (!checked) return checked;
  auto abi = Abi(deadline);
  if (!abi) return std::unexpected(abi.error());
  // Kernels that do not know an attribute make the device without it and report success.
  if ((request.mac || request.mtu) && abi->max_attribute < kMaxAttributeLinux516) {
    return Unsupported(kDevNew, "this kernel cannot set mac or mtu at creation (Linux 5.16 can)");
  }
  if (request.max_vq_pairs && abi->max_attribute < kMaxAttributeLinux517) {
    return Unsupported(kDevNew, "this kernel cannot set max_vq_pairs (Linux 5.17 can)");
  }
  if (request.features && !HasAttribute(*abi, kAttrDevFeatures)) {
    return Unsupported(kDevNew, "this kernel cannot set device features (Linux 6.1 can)");
  }
  return WithoutValue(Change(kDevNew, BuildAdd(request), deadline));
}

Result<void> VdpaFamily::DeleteDevice(std::string_view name, Deadline deadline) {
  auto checked = CheckName(kDevDel, name);
  if (!checked) return checked;
  return WithoutValue(GoneIfNoDevice(Change(kDevDel, BuildDeviceName(name), deadline)));
}

Result<void> VdpaFamily::SetMac(std::string_view name, const MacAddress& mac, Deadline deadline) {
  auto checked = CheckName(kDevAttrSet, name);
  if (!checked) return checked;
  auto done = GoneIfNoDevice(Change(kDevAttrSet, BuildSetMac(name, mac), deadline));
  // For a parent that is not a network device the kernel says so in words and answers success.
  if (done && !done->message.empty()) return Unsupported(kDevAttrSet, done->message);
  return WithoutValue(done);
}

}  // namespace vdpa
