#include "private_node.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace vdpa {
namespace {

constexpr const char* kName = "node";

/// A file system of our own that is mounted nowhere: nobody else sees what lies in it, and it ends
/// with its descriptor, however this process ends. None, with errno, without CAP_SYS_ADMIN.
UniqueFd PrivateFolder() {
  const UniqueFd context(static_cast<int>(syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC)));
  if (!context) return {};
  if (syscall(SYS_fsconfig, context.Get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return {};
  }
  return UniqueFd(static_cast<int>(syscall(SYS_fsmount, context.Get(), FSMOUNT_CLOEXEC, 0)));
}

}  // namespace

Result<UniqueFd> OpenByNumber(const HostRoot& root, const DeviceNumber& number) {
  const std::string what =
      "device " + std::to_string(number.major) + ":" + std::to_string(number.minor);
  if (!root.Live()) return SystemError("open " + what, EROFS);
  const UniqueFd folder = PrivateFolder();
  if (!folder) return SystemError("mount for " + what, errno);
  constexpr mode_t kMode = S_IFCHR | 0600;
  if (mknodat(folder.Get(), kName, kMode, makedev(number.major, number.minor)) != 0) {
    return SystemError("mknod for " + what, errno);
  }
  UniqueFd fd(openat(folder.Get(), kName, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return SystemError("open " + what, errno);
  return fd;
}

}  // namespace vdpa
