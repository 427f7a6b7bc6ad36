#include "peer_credentials.h"

#include <sys/socket.h>

#include <cerrno>

namespace vdpa {

Result<PeerCredentials> ReadPeerCredentials(int fd) {
  constexpr const char* kOp = "getsockopt SO_PEERCRED";
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return SystemError(kOp, errno);
  }
  // The kernel's answer for what has no peer, and for sockets of other families: no error, no id.
  if (peer.uid == static_cast<uid_t>(-1)) return SystemError(kOp, ENOTCONN);
  return PeerCredentials{peer.pid, peer.uid, peer.gid};
}

}  // namespace vdpa
