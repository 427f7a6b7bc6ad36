#include "netlink_socket.h"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <ctime>

namespace vdpa {
namespace {

std::unexpected<Error> Timeout(const char* op) {
  return std::unexpected(
      Error{Fault::kTimeout, op, ETIMEDOUT, "no answer from the kernel before the deadline"});
}

bool SetOption(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

}  // namespace

Result<std::unique_ptr<NetlinkChannel>> NetlinkSocket::Open(NetlinkProtocol protocol,
                                                            const NetlinkSocketOptions& options) {
  UniqueFd fd(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, static_cast<int>(protocol)));
  if (!fd) return SystemError("socket AF_NETLINK", errno);

  // EXT_ACK brings the kernel's own words on a failure. CAP_ACK keeps our request out of the
  // answer, so an acknowledgement cannot outgrow a small receive buffer.
  if (!SetOption(fd.Get(), SOL_NETLINK, NETLINK_EXT_ACK, 1) ||
      !SetOption(fd.Get(), SOL_NETLINK, NETLINK_CAP_ACK, 1)) {
    return SystemError("setsockopt SOL_NETLINK", errno);
  }
  if (options.receive_buffer_bytes &&
      !SetOption(fd.Get(), SOL_SOCKET, SO_RCVBUF, *options.receive_buffer_bytes)) {
    return SystemError("setsockopt SO_RCVBUF", errno);
  }

  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (::bind(fd.Get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return SystemError("bind AF_NETLINK", errno);
  }
  return std::unique_ptr<NetlinkChannel>(new NetlinkSocket(std::move(fd)));
}

Result<void> NetlinkSocket::Send(std::span<const std::byte> request, Deadline deadline) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  for (;;) {
    const ssize_t sent = ::sendto(socket_.Get(), request.data(), request.size(), 0,
                                  reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel));
    if (sent >= 0) return {};
    if (errno == EINTR) continue;
    if (errno == ENOBUFS) {
      // Here it is the request that found no memory: nothing was lost on the way back.
      return SystemError("netlink send", ENOBUFS);
    }
    if (errno != EAGAIN) return SystemError("netlink send", errno);
    auto waited = WaitFor(POLLOUT, "netlink send", deadline);
    if (!waited) return waited;
  }
}

Result<Datagram> NetlinkSocket::Receive(std::span<std::byte> buffer, Deadline deadline) {
  for (;;) {
    sockaddr_nl sender{};
    iovec part{buffer.data(), buffer.size()};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof(sender);
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    const ssize_t received = ::recvmsg(socket_.Get(), &message, 0);
    if (received >= 0) {
      return Datagram{buffer.first(static_cast<std::size_t>(received)), sender.nl_pid,
                      (message.msg_flags & MSG_TRUNC) != 0};
    }
    if (errno == EINTR) continue;
    if (errno == ENOBUFS) {
      return std::unexpected(
          Error{Fault::kLost, "netlink receive", ENOBUFS, "the receive buffer overflowed"});
    }
    if (errno != EAGAIN) return SystemError("netlink receive", errno);
    auto waited = WaitFor(POLLIN, "netlink receive", deadline);
    if (!waited) return std::unexpected(waited.error());
  }
}

// A poll with what is left of the time, not SO_RCVTIMEO: a receive that a signal broke off would
// start with the whole time again.
Result<void> NetlinkSocket::WaitFor(short events, const char* op, Deadline deadline) {
  for (;;) {
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= std::chrono::nanoseconds::zero()) return Timeout(op);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
    const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(left - seconds);
    const timespec wait{static_cast<std::time_t>(seconds.count()), static_cast<long>(rest.count())};
    pollfd entry{socket_.Get(), events, 0};
    const int ready = ::ppoll(&entry, 1, &wait, nullptr);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return SystemError("ppoll", errno);
  }
}

}  // namespace vdpa
