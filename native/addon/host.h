// The JavaScript class Host: one opened host, its lane and its persistent netlink socket.
#pragma once

#include <chrono>
#include <memory>

#include "addon/arguments.h"
#include "addon/call.h"
#include "addon/lane.h"
#include "addon/node_api.h"
#include "core/host_root.h"
#include "core/netlink_channel.h"
#include "core/snapshot.h"
#include "core/vdpa_family.h"

namespace vdpa::addon {

class Host : public Napi::ObjectWrap<Host> {
 public:
  static Napi::Function Define(Napi::Env env);

  /// (root: string)
  explicit Host(const Napi::CallbackInfo& info);

 private:
  /// What the lane's thread works with. Replaced together with the lane: a socket that a stuck
  /// thread is using is never touched by another.
  struct Session {
    explicit Session(std::shared_ptr<const HostRoot> opened);

    std::shared_ptr<const HostRoot> root;
    VdpaFamily family;
    LinkSource links;
  };

  Napi::Value TakeSnapshot(const Napi::CallbackInfo& info);
  Napi::Value ReadFamilyLists(const Napi::CallbackInfo& info);
  Napi::Value ReadNamed(const Napi::CallbackInfo& info);
  Napi::Value ReadConfig(const Napi::CallbackInfo& info);
  Napi::Value ReadVendorStats(const Napi::CallbackInfo& info);
  Napi::Value AddDevice(const Napi::CallbackInfo& info);
  Napi::Value DeleteDevice(const Napi::CallbackInfo& info);
  Napi::Value SetMac(const Napi::CallbackInfo& info);
  Napi::Value DriverOverride(const Napi::CallbackInfo& info);
  Napi::Value Resolve(const Napi::CallbackInfo& info);
  Napi::Value ReadText(const Napi::CallbackInfo& info);
  Napi::Value Exists(const Napi::CallbackInfo& info);
  Napi::Value MayOpen(const Napi::CallbackInfo& info);
  Napi::Value List(const Napi::CallbackInfo& info);
  // In recording.cc.
  Napi::Value Record(const Napi::CallbackInfo& info);
  Napi::Value Recorded(const Napi::CallbackInfo& info);
  Napi::Value Withheld(const Napi::CallbackInfo& info);
  void Abandon(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  /// Runs `work` on the lane; the promise it returns is settled on the environment's thread.
  /// `work` is called as Result<T>(Session&, Deadline).
  template <typename Work>
  Napi::Value Enqueue(Napi::Env env, std::chrono::nanoseconds timeout, Work work);
  /// Reads the timeout, the last argument of every call of the lane, and runs `work`.
  template <typename Work>
  Napi::Value Enqueue(Arguments& arguments, Work work);
  /// Makes lane and session when there are none; false with a pending exception otherwise.
  bool EnsureLane(Napi::Env env);
  /// False with a pending exception once closed.
  bool Open(Napi::Env env) const;
  static Napi::Value Throw(Napi::Env env, const Error& error);

  std::shared_ptr<const HostRoot> root_;
  std::shared_ptr<Session> session_;
  std::unique_ptr<Lane> lane_;
  std::shared_ptr<Call> running_;  ///< the latest call: TypeScript makes one at a time
};

}  // namespace vdpa::addon
