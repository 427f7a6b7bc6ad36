// Where finished work comes back to JavaScript: one per environment, on that environment's own
// loop.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "addon/node_api.h"

namespace vdpa::addon {

/// Runs on the environment's thread, inside a handle and callback scope.
using Completion = std::function<void(Napi::Env)>;

/// Any thread may Post. Threads hold it by shared_ptr, so one that the kernel keeps in a system
/// call past the end of the environment posts into a closed box instead of freed memory. That is
/// why this is not a napi_threadsafe_function: before Node 22.13 one of those may be freed under
/// its callers.
class Outbox : public std::enable_shared_from_this<Outbox> {
 public:
  static std::shared_ptr<Outbox> Open(Napi::Env env);

  /// Drops the completion, unrun, once the environment is going away.
  void Post(Completion completion);

  /// While something is expected, the loop stays alive. Environment's thread only.
  void Expect();
  void Settle();

 private:
  explicit Outbox(Napi::Env env) : env_(env) {}

  void Deliver();
  static void Close(napi_async_cleanup_hook_handle hook, void* data);

  const Napi::Env env_;
  int expected_ = 0;

  std::mutex mutex_;  ///< guards completions_ and async_
  std::vector<Completion> completions_;
  uv_async_t* async_ = nullptr;  ///< null once closed; owns itself until its close callback
};

}  // namespace vdpa::addon
