#include "change_locks.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <utility>

namespace vdpa {
namespace {

constexpr const char* kFile = "sys/bus/vdpa/drivers_probe";

}  // namespace

Result<ChangeLocks> ChangeLocks::Open(const HostRoot& root) {
  Result<UniqueFd> fd = root.OpenToWrite(kFile);
  if (!fd) return std::unexpected(fd.error());
  return ChangeLocks(*std::move(fd));
}

Result<bool> ChangeLocks::Take(std::uint64_t identity) const {
  struct flock byte{};
  byte.l_type = F_WRLCK;
  byte.l_whence = SEEK_SET;
  // Two that differ in the uppermost bit alone would be one: at worst one refusal too many.
  byte.l_start = static_cast<off_t>(identity & std::numeric_limits<std::int64_t>::max());
  byte.l_len = 1;
  if (fcntl(fd_.Get(), F_OFD_SETLK, &byte) == 0) return true;
  if (errno == EAGAIN || errno == EACCES) return false;
  return SystemError(std::string("lock ") + kFile, errno);
}

}  // namespace vdpa
