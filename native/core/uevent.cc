#include "uevent.h"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "number_text.h"

namespace vdpa {
namespace {

constexpr auto kParse = "parse uevent";
constexpr auto kReceive = "receive uevent";
constexpr std::uint32_t kKernelGroup = 1;  // 2 is udevd's, which anybody with the capability can be

// The text up to the next NUL, which is taken away too. The caller knows that there is one.
std::string_view TakeText(std::string_view& rest) {
  const auto text = rest.substr(0, rest.find('\0'));
  rest.remove_prefix(text.size() + 1);
  return text;
}

// Is it from the kernel? The sender's port and group say so, the credentials prove it: a process
// could write to the group from another network namespace of the same owner.
bool IsFromKernel(msghdr& message, const sockaddr_nl& sender) {
  if (sender.nl_pid != 0 || sender.nl_groups != kKernelGroup) return false;
  for (cmsghdr* item = CMSG_FIRSTHDR(&message); item != nullptr;
       item = CMSG_NXTHDR(&message, item)) {
    if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_CREDENTIALS) continue;
    ucred credentials{};
    std::memcpy(&credentials, CMSG_DATA(item), sizeof(credentials));
    return credentials.uid == 0;
  }
  return false;
}

}  // namespace

Result<Uevent> ParseUevent(std::span<const std::byte> message) {
  std::string_view rest(reinterpret_cast<const char*>(message.data()), message.size());
  if (rest.starts_with(std::string_view("libudev\0", 8))) {
    return Malformed(kParse, "a message of udevd, not of the kernel");
  }
  if (rest.empty() || rest.back() != '\0') return Malformed(kParse, "does not end with a NUL");

  const std::string_view header = TakeText(rest);
  Uevent event;
  bool has_seqnum = false;
  while (!rest.empty()) {
    const std::string_view pair = TakeText(rest);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return Malformed(kParse, "a property that is not KEY=VALUE");
    }
    const auto key = pair.substr(0, equals);
    const auto value = pair.substr(equals + 1);
    if (key == "ACTION") event.action = value;
    if (key == "DEVPATH") event.devpath = value;
    if (key == "SUBSYSTEM") event.subsystem = value;
    if (key == "DRIVER") event.driver = value;
    if (key == "SEQNUM") {
      const auto number = ParseNumber<std::uint64_t>(value);
      if (!number) return Malformed(kParse, "SEQNUM is not a number");
      event.seqnum = *number;
      has_seqnum = true;
    }
    event.properties.emplace_back(key, value);
  }
  if (event.action.empty() || event.devpath.empty() ||
      header != event.action + "@" + event.devpath) {
    return Malformed(kParse, "the header is not ACTION@DEVPATH");
  }
  if (!has_seqnum) return Malformed(kParse, "no SEQNUM");
  return event;
}

Result<UeventSocket> UeventSocket::Open(int receive_buffer_bytes) {
  UniqueFd fd(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
  if (!fd) return SystemError("socket NETLINK_KOBJECT_UEVENT", errno);

  const int on = 1;
  if (::setsockopt(fd.Get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0) {
    return SystemError("setsockopt SO_PASSCRED", errno);
  }
  if (::setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer_bytes,
                   sizeof(receive_buffer_bytes)) != 0 &&
      ::setsockopt(fd.Get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
                   sizeof(receive_buffer_bytes)) != 0) {
    return SystemError("setsockopt SO_RCVBUF", errno);
  }

  // Bound last, so that no event arrives without credentials.
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = kKernelGroup;
  if (::bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return SystemError("bind NETLINK_KOBJECT_UEVENT", errno);
  }
  return UeventSocket(std::move(fd));
}

Result<std::optional<Uevent>> UeventSocket::ReadEvent() {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer_.data(), buffer_.size()};
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(ucred))> control{};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof(sender);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t received = ::recvmsg(socket_.Get(), &message, 0);
    if (received < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return std::nullopt;
      if (errno == ENOBUFS) {
        return std::unexpected(
            Error{Fault::kLost, kReceive, ENOBUFS, "the receive buffer overflowed"});
      }
      return SystemError(kReceive, errno);
    }
    if (!IsFromKernel(message, sender)) continue;
    if ((message.msg_flags & MSG_TRUNC) != 0) {
      return std::unexpected(Error{Fault::kLost, kReceive, 0, "an event did not fit the buffer"});
    }
    auto event = ParseUevent(std::span(buffer_).first(static_cast<std::size_t>(received)));
    if (!event) return std::unexpected(event.error());
    return *std::move(event);
  }
}

}  // namespace vdpa
