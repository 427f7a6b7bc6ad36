#include "supervisor.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <string>

#include "unique_fd.h"

namespace vdpa {
namespace {

/// The message is for the caller's event loop as well: it must not wait for a supervisor that
/// hangs.
constexpr timeval kSendTime{.tv_sec = 0, .tv_usec = 250'000};

}  // namespace

Result<void> NotifySupervisor(std::string_view socket, std::string_view message) {
  const std::string op = "notify " + std::string(socket);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool abstract = socket.starts_with('@');
  if (!abstract && !socket.starts_with('/')) return SystemError(op, EINVAL);
  // A path ends with a NUL; an abstract name is as long as the address says.
  if (socket.size() > sizeof(address.sun_path) - (abstract ? 0 : 1)) return SystemError(op, EINVAL);
  socket.copy(address.sun_path, socket.size());
  if (abstract) address.sun_path[0] = '\0';
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket.size() + (abstract ? 0 : 1));

  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return SystemError(op, errno);
  if (::setsockopt(fd.Get(), SOL_SOCKET, SO_SNDTIMEO, &kSendTime, sizeof(kSendTime)) != 0) {
    return SystemError(op, errno);
  }
  for (;;) {
    const ssize_t sent = ::sendto(fd.Get(), message.data(), message.size(), MSG_NOSIGNAL,
                                  reinterpret_cast<const sockaddr*>(&address), size);
    if (sent >= 0) return {};
    if (errno != EINTR) return SystemError(op, errno);
  }
}

}  // namespace vdpa
