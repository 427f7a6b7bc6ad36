// A deadline for loops of many short steps.
#pragma once

#include <chrono>
#include <cstdint>

#include "netlink_channel.h"

namespace vdpa {

/// Looks at the clock before the first step and before every 64th after it: where the clock source
/// is not read in user space, a look is a system call and would cost as much as a step. Passes at
/// most 63 steps late.
class PacedDeadline {
 public:
  static constexpr std::uint32_t kPace = 64;

  explicit PacedDeadline(Deadline deadline) : deadline_(deadline) {}

  /// To be asked before each step. Once passed it stays so.
  bool Passed() {
    if (!passed_ && steps_++ % kPace == 0) passed_ = std::chrono::steady_clock::now() >= deadline_;
    return passed_;
  }

 private:
  Deadline deadline_;
  std::uint32_t steps_ = 0;
  bool passed_ = false;
};

}  // namespace vdpa
