// The kernel's `vdpa` family as calls: each one request, checked against what this kernel can.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "genetlink.h"
#include "netlink_channel.h"
#include "records.h"
#include "result.h"
#include "vdpa_abi.h"
#include "vdpa_codec.h"

namespace vdpa {

/// Whether the family refuses to tell about one thing: it has no management device, or the command
/// is not for it.
bool IsRefusal(const Error& error);

/// Keeps one channel and the family's ABI between calls. Used by one thread at a time.
///
/// Every call can fail with kNoFamily (ask sysfs first: each miss costs a modprobe), kTimeout and
/// kLost (the next call works on a new channel), and EOPNOTSUPP for what this kernel lacks. A named
/// device that is not there is kGone. All of the kernel's vDPA commands share two locks, so a read
/// waits for anybody's running creation or deletion.
class VdpaFamily {
 public:
  explicit VdpaFamily(ChannelFactory open_channel) : open_channel_(std::move(open_channel)) {}

  Result<VdpaAbi> Abi(Deadline deadline);

  /// Dumps resume by index and cannot tell that the list changed: a device can be missed or shown
  /// twice unless nothing was created or deleted meanwhile.
  Result<std::vector<MgmtDevice>> ReadMgmtDevices(Deadline deadline);
  Result<std::vector<VdpaDevice>> ReadDevices(Deadline deadline);

  /// `bus` is empty for a management device without one.
  Result<MgmtDevice> ReadMgmtDevice(std::string_view bus, std::string_view name, Deadline deadline);
  /// EINVAL for a device without a management device: only sysfs shows those.
  Result<VdpaDevice> ReadDevice(std::string_view name, Deadline deadline);
  /// Waits for a guest that is changing the device's status. Before Linux 6.1 EAGAIN until a driver
  /// has negotiated; EOPNOTSUPP for devices that are neither net nor block.
  Result<DeviceConfig> ReadConfig(std::string_view name, Deadline deadline);
  /// Needs CAP_NET_ADMIN. EAGAIN until a driver has negotiated; ERANGE for a queue too many.
  Result<VendorStats> ReadVendorStats(std::string_view name, std::uint32_t queue_index,
                                      Deadline deadline);

  // Changes; all need CAP_NET_ADMIN in the initial user namespace. After kTimeout it is unknown
  // whether the change was made.

  /// Refuses, with EOPNOTSUPP, an attribute that this kernel would silently ignore.
  Result<void> AddDevice(const AddRequest& request, Deadline deadline);
  /// Sleeps uninterruptibly, deadline or not, and blocks every vDPA command of the host, while
  /// anybody has the char device open.
  Result<void> DeleteDevice(std::string_view name, Deadline deadline);
  Result<void> SetMac(std::string_view name, const MacAddress& mac, Deadline deadline);

 private:
  struct Call;

  Result<Acknowledgement> Run(const Call& call, Deadline deadline);
  Result<Acknowledgement> RunOnce(const Call& call, const VdpaAbi& abi, Deadline deadline);
  template <typename Record, typename Parse>
  Result<std::vector<Record>> Dump(Command command, const Parse& parse, Deadline deadline);
  template <typename Record, typename Parse>
  Result<Record> Get(Command command, const std::vector<std::byte>& attributes, const Parse& parse,
                     Deadline deadline);
  Result<Acknowledgement> Change(Command command, const std::vector<std::byte>& attributes,
                                 Deadline deadline);

  ChannelFactory open_channel_;
  std::unique_ptr<Genetlink> genetlink_;
  std::optional<VdpaAbi> abi_;  ///< resolved on this very channel, which also primed it
};

}  // namespace vdpa
