// Who is at the other end of a unix socket.
#pragma once

#include <sys/types.h>

#include "result.h"

namespace vdpa {

struct PeerCredentials {
  pid_t pid = 0;  ///< 0: a process of a PID namespace that this one does not see
  uid_t uid = 0;
  gid_t gid = 0;

  bool operator==(const PeerCredentials&) const = default;
};

/// What the kernel noted of a stream's peer when it connected, or when it began to listen:
/// effective ids, which it cannot have made up. ENOTCONN when there is no peer to be known.
Result<PeerCredentials> ReadPeerCredentials(int fd);

}  // namespace vdpa
