// How much memory another process may lock.
#pragma once

#include <sys/types.h>

#include <cstdint>

#include "result.h"

namespace vdpa {

/// RLIMIT_MEMLOCK in bytes; RLIM_INFINITY where there is no limit.
struct MemoryLock {
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;

  bool operator==(const MemoryLock&) const = default;
};

/// Sets the limit of a process, and answers the one that it replaced. EPERM without
/// CAP_SYS_RESOURCE for another user's process, and for a hard limit that grows; ESRCH when there
/// is no such process.
Result<MemoryLock> SetMemoryLock(pid_t pid, const MemoryLock& limit);

}  // namespace vdpa
