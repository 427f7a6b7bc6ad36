// The kernel's device events: their text form, and the socket that brings them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "result.h"
#include "unique_fd.h"

namespace vdpa {

/// A hint that something changed: read the named device again, never patch a record from it.
struct Uevent {
  std::string action;  ///< "add", "remove", "change", "move", "online", "offline", "bind", "unbind"
  std::string devpath;  ///< below /sys, begins with a slash
  std::string subsystem;
  std::string driver;  ///< empty for "unbind", and whenever the device has none
  std::uint64_t seqnum = 0;
  std::vector<std::pair<std::string, std::string>> properties;  ///< all of them, as they came

  bool operator==(const Uevent&) const = default;
};

/// Reads `ACTION@DEVPATH\0KEY=VALUE\0…`. Another protocol (libudev's) is kMalformed.
Result<Uevent> ParseUevent(std::span<const std::byte> message);

/// NETLINK_KOBJECT_UEVENT, group 1. Subscribes when opened: open first, then read the host's state,
/// then the events that came meanwhile.
class UeventSocket {
 public:
  /// The kernel queues events in this much memory; some 600 fit in a megabyte.
  static constexpr int kReceiveBufferBytes = 16 * 1024 * 1024;

  /// The buffer is capped by net.core.rmem_max unless the caller has CAP_NET_ADMIN.
  static Result<UeventSocket> Open(int receive_buffer_bytes = kReceiveBufferBytes);

  /// To be polled for reading. Owned by this object.
  int Fd() const { return socket_.Get(); }

  /// The next event; unset when there is none now. kLost when the kernel dropped some: the host is
  /// to be read anew, and this socket goes on. kMalformed is about one message only.
  Result<std::optional<Uevent>> ReadEvent();

 private:
  explicit UeventSocket(UniqueFd socket) : socket_(std::move(socket)), buffer_(kMessageBytes) {}

  // The kernel builds them in 2 KiB.
  static constexpr std::size_t kMessageBytes = 16UL * 1024;

  UniqueFd socket_;
  std::vector<std::byte> buffer_;
};

}  // namespace vdpa
