// Which process is changing which objects of the host.
#pragma once

#include <cstdint>
#include <utility>

#include "host_root.h"
#include "result.h"
#include "unique_fd.h"

namespace vdpa {

/// Record locks of one open file: byte N stands for the object whose HostRoot::Identity is N, so
/// that nobody waits for a change of something else. They go with the process, however it ends, and
/// not before: one that the kernel keeps still has its locks.
///
/// The file is the vDPA bus's `drivers_probe`, which only root may open, so that nobody else can
/// keep changes off. A sysfs that was mounted in another network namespace is another file.
class ChangeLocks {
 public:
  static Result<ChangeLocks> Open(const HostRoot& root);

  /// False, at once, when another process has it.
  Result<bool> Take(std::uint64_t identity) const;

 private:
  explicit ChangeLocks(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace vdpa
