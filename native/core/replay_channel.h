// A NetlinkChannel that answers from a recording of a host, as that host's kernel would have.
//
// Below the recording's root, each file the netlink messages as they were received, one after
// another:
//   netlink/getfamily.bin            the reply for the family `vdpa`; without it there is no family
//   netlink/mgmtdev-dump.bin         with their ends (NLMSG_DONE); a missing one is an empty list
//   netlink/dev-dump.bin
//   netlink/link-dump.bin
//   netlink/dev-<NAME>.bin           optional: a device that dev-dump.bin does not show as it is
//   netlink/config-<NAME>.bin
//   netlink/vstats-<NAME>-<QUEUE>.bin
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "netlink_channel.h"
#include "result.h"

namespace vdpa {

/// Reads one file of the recording; ENOENT (of any fault) when there is none.
using RecordingReader =
    std::function<Result<std::vector<std::byte>>(std::string_view relative_path)>;

/// Serves both protocols: vdpa requests and link dumps. Used by one thread at a time.
class ReplayChannel final : public NetlinkChannel {
 public:
  explicit ReplayChannel(RecordingReader read) : read_(std::move(read)) {}

  Result<void> Send(std::span<const std::byte> request, Deadline deadline) override;
  /// One datagram of as many messages as fit. kTimeout at once when the answer has no more.
  Result<Datagram> Receive(std::span<std::byte> buffer, Deadline deadline) override;

 private:
  RecordingReader read_;
  std::vector<std::byte> answer_;  ///< to the latest request
  std::size_t taken_ = 0;          ///< bytes of it that Receive gave away
};

}  // namespace vdpa
