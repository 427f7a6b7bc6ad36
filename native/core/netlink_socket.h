// A NetlinkChannel over a real AF_NETLINK socket.
#pragma once

#include <memory>
#include <optional>

#include "netlink_channel.h"
#include "unique_fd.h"

namespace vdpa {

enum class NetlinkProtocol : std::uint8_t {
  kRoute = 0,     ///< NETLINK_ROUTE
  kGeneric = 16,  ///< NETLINK_GENERIC
};

struct NetlinkSocketOptions {
  /// SO_RCVBUF in bytes (the kernel doubles it and has a minimum); unset = the system's default.
  std::optional<int> receive_buffer_bytes;
};

class NetlinkSocket final : public NetlinkChannel {
 public:
  /// Opens a non-blocking, close-on-exec socket in the caller's network namespace. The `vdpa`
  /// family lives in the initial one only.
  static Result<std::unique_ptr<NetlinkChannel>> Open(NetlinkProtocol protocol,
                                                      const NetlinkSocketOptions& options = {});

  Result<void> Send(std::span<const std::byte> request, Deadline deadline) override;
  Result<Datagram> Receive(std::span<std::byte> buffer, Deadline deadline) override;

 private:
  explicit NetlinkSocket(UniqueFd socket) : socket_(std::move(socket)) {}
  Result<void> WaitFor(short events, const char* op, Deadline deadline);

  UniqueFd socket_;
};

}  // namespace vdpa
