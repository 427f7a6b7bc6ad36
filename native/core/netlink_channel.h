// The seam between the protocol and the kernel: a real socket, a recording, or a test's script.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "result.h"

namespace vdpa {

using Deadline = std::chrono::steady_clock::time_point;

struct Datagram {
  std::span<const std::byte> bytes;  ///< a part of the buffer given to Receive
  std::uint32_t sender_port = 0;     ///< 0 = the kernel; anything else is another process
  bool truncated = false;            ///< the datagram was longer than the buffer; the rest is lost
};

/// One netlink conversation partner. Used by one thread at a time.
class NetlinkChannel {
 public:
  NetlinkChannel() = default;
  NetlinkChannel(const NetlinkChannel&) = delete;
  NetlinkChannel& operator=(const NetlinkChannel&) = delete;
  virtual ~NetlinkChannel() = default;

  /// Sends one datagram. The kernel carries a request out inside the send call, so a command that
  /// waits for a lock of the kernel waits here, and no deadline can end that.
  virtual Result<void> Send(std::span<const std::byte> request, Deadline deadline) = 0;

  /// Waits for one datagram; Fault::kTimeout at the deadline, Fault::kLost when some were dropped.
  virtual Result<Datagram> Receive(std::span<std::byte> buffer, Deadline deadline) = 0;
};

/// Opens a new channel; called again after one was thrown away.
using ChannelFactory = std::function<Result<std::unique_ptr<NetlinkChannel>>()>;

}  // namespace vdpa
