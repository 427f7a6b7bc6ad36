#include "descriptor_passing.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>

namespace vdpa {
namespace {

constexpr const char* kOp = "sendmsg SCM_RIGHTS";

/// One call: how much of `bytes` went, the descriptor with them unless there is none (-1).
ssize_t SendSome(int stream, std::string_view bytes, int descriptor) {
  // sendmsg does not write to what it sends.
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof(descriptor));
  }
  return ::sendmsg(stream, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Result<void> WaitForRoom(int stream, Deadline deadline) {
  const auto left = deadline - std::chrono::steady_clock::now();
  if (left <= std::chrono::nanoseconds::zero()) {
    return std::unexpected(Error{Fault::kTimeout, kOp, ETIMEDOUT, "nobody reads"});
  }
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
  const auto rest = std::chrono::duration_cast<std::chrono::nanoseconds>(left - seconds);
  const timespec wait{static_cast<std::time_t>(seconds.count()), static_cast<long>(rest.count())};
  pollfd entry{stream, POLLOUT, 0};
  // What is wrong with the stream, the next sendmsg tells.
  if (::ppoll(&entry, 1, &wait, nullptr) < 0 && errno != EINTR) return SystemError("ppoll", errno);
  return {};
}

}  // namespace

Result<void> SendWithDescriptor(int stream, std::string_view bytes, int descriptor,
                                Deadline deadline) {
  if (bytes.empty()) return SystemError(kOp, EINVAL);
  while (!bytes.empty()) {
    const ssize_t sent = SendSome(stream, bytes, descriptor);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      descriptor = -1;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      const Result<void> waited = WaitForRoom(stream, deadline);
      if (!waited) return waited;
    } else if (errno != EINTR) {
      return SystemError(kOp, errno);
    }
  }
  return {};
}

}  // namespace vdpa
