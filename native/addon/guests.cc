#include "addon/guests.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <cerrno>
#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <utility>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/lane_call.h"
#include "core/descriptor_passing.h"
#include "core/host_root.h"
#include "core/memory_lock.h"
#include "core/unique_fd.h"

namespace vdpa::addon {

namespace {

constexpr std::uint32_t kMaxInt = std::numeric_limits<int>::max();

/// A char device of this machine, by a path below its root.
struct Node {
  explicit Node(Arguments& arguments) : path(arguments.Path()) {
    number.major = arguments.Unsigned();
    number.minor = arguments.Unsigned();
  }

  Result<UniqueFd> Open() const {
    const Result<HostRoot> root = HostRoot::Open("/");
    if (!root) return std::unexpected(root.error());
    return root->OpenCharDevice(path, number);
  }

  std::string path;
  DeviceNumber number;
};

Napi::Value Throw(Napi::Env env, const Error& error) {
  napi_throw(env, Environment::Of(env).MakeError(env, error));
  return {};
}

/// Runs `work` on a lane of its own: opening a device waits for its driver, and one guest's must
/// not hold up another's.
template <typename Work>
Napi::Value Aside(Napi::Env env, Work work) {
  const Result<std::unique_ptr<Lane>> lane = Lane::Start();
  if (!lane) return Throw(env, lane.error());
  Napi::Value promise;
  const std::shared_ptr<Call> call = Call::Start(env, promise);
  if (call == nullptr) return {};
  PostCall(**lane, env, call, std::move(work));
  return promise;
}

Napi::Value Bytes(Napi::Env env, std::uint64_t limit) {
  return Napi::Number::New(env, limit == RLIM_INFINITY ? std::numeric_limits<double>::infinity()
                                                       : static_cast<double>(limit));
}

}  // namespace

Napi::Value PassCharDevice(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Arguments arguments(info);
  const auto stream = static_cast<int>(arguments.Unsigned(kMaxInt));
  std::string line = arguments.Path();
  Node node(arguments);
  const std::chrono::nanoseconds timeout = arguments.Timeout();
  if (!arguments.Ok()) return {};
  // Node may close the stream meanwhile, and the next file would have its number.
  auto own = std::make_shared<const UniqueFd>(::fcntl(stream, F_DUPFD_CLOEXEC, 0));
  if (!*own) return Throw(env, Error{Fault::kSystem, "dup", errno});
  return Aside(env,
               [own = std::move(own), line = std::move(line), node = std::move(node),
                timeout]() -> Result<Answer> {
                 const Deadline deadline = std::chrono::steady_clock::now() + timeout;
                 const Result<UniqueFd> device = node.Open();
                 if (!device) return std::unexpected(device.error());
                 const Result<void> sent =
                     SendWithDescriptor(own->Get(), line, device->Get(), deadline);
                 if (!sent) return std::unexpected(sent.error());
                 return Answer();
               });
}

Napi::Value TryCharDevice(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  Node node(arguments);
  if (!arguments.Ok()) return {};
  return Aside(info.Env(), [node = std::move(node)]() -> Result<Answer> {
    const Result<UniqueFd> device = node.Open();
    if (!device) return std::unexpected(device.error());
    return Answer();
  });
}

Napi::Value SetMemoryLockOf(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Arguments arguments(info);
  const auto pid = static_cast<pid_t>(arguments.Unsigned(kMaxInt));
  const std::uint64_t soft = arguments.Limit();
  const std::uint64_t hard = arguments.Limit();
  if (!arguments.Ok()) return {};
  const Result<MemoryLock> before = SetMemoryLock(pid, {soft, hard});
  if (!before) return Throw(env, before.error());
  Napi::Array pair = Napi::Array::New(env, 2);
  static_cast<void>(pair.Set(0U, Bytes(env, before->soft)));
  static_cast<void>(pair.Set(1U, Bytes(env, before->hard)));
  return pair;
}

}  // namespace vdpa::addon
