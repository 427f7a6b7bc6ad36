#include "memory_lock.h"

#include <sys/resource.h>

#include <cerrno>

namespace vdpa {

Result<MemoryLock> SetMemoryLock(pid_t pid, const MemoryLock& limit) {
  constexpr const char* kOp = "prlimit RLIMIT_MEMLOCK";
  // To prlimit, 0 is the caller itself.
  if (pid <= 0) return SystemError(kOp, ESRCH);
  const rlimit wanted{limit.soft, limit.hard};
  rlimit before{};
  if (::prlimit(pid, RLIMIT_MEMLOCK, &wanted, &before) != 0) return SystemError(kOp, errno);
  return MemoryLock{before.rlim_cur, before.rlim_max};
}

}  // namespace vdpa
