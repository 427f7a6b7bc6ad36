// One native thread that does a host's blocking work, in order.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "core/result.h"

namespace vdpa::addon {

/// Not libuv's pool: every command of the vdpa family takes a lock that all of the host shares, and
/// waits for it uninterruptibly inside sendmsg(). Four such waits would stop the file system of the
/// whole process. A lane that is stuck is abandoned: its thread ends when the kernel lets it go.
class Lane {
 public:
  using Work = std::function<void()>;

  static Result<std::unique_ptr<Lane>> Start();
  /// Lets queued work run, then the thread ends by itself; never waits for it.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  void Post(Work work);

 private:
  /// Shared with the thread, which may outlive the lane.
  struct Queue {
    std::mutex mutex;  ///< guards all below
    std::condition_variable changed;
    std::deque<Work> work;
    bool ending = false;
  };

  explicit Lane(std::shared_ptr<Queue> queue) : queue_(std::move(queue)) {}
  static void* Run(void* argument);

  std::shared_ptr<Queue> queue_;
};

}  // namespace vdpa::addon
