#include "addon/environment.h"
#include "addon/guests.h"
#include "addon/host.h"
#include "addon/node_api.h"
#include "addon/sockets.h"
#include "addon/uevent_monitor.h"

namespace vdpa::addon {

namespace {

/// setUp(resolved, error): once per environment, before anything else.
Napi::Value SetUp(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsFunction() || !info[1].IsFunction()) {
    Napi::TypeError::New(env, "setUp(resolved, error)").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  Environment::Of(env).SetUp(info[0].As<Napi::Function>(), info[1].As<Napi::Function>());
  return env.Undefined();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  std::shared_ptr<Outbox> outbox = Outbox::Open(env);
  if (outbox == nullptr) {
    Napi::Error::New(env, "the event loop takes no more handles").ThrowAsJavaScriptException();
    return exports;
  }
  env.SetInstanceData(new Environment(std::move(outbox)));  // deleted with the environment
  static_cast<void>(exports.Set("setUp", Napi::Function::New(env, SetUp)));
  static_cast<void>(exports.Set("peerCredentials", Napi::Function::New(env, ReadPeer)));
  static_cast<void>(exports.Set("notifySupervisor", Napi::Function::New(env, Notify)));
  static_cast<void>(exports.Set("passCharDevice", Napi::Function::New(env, PassCharDevice)));
  static_cast<void>(exports.Set("tryCharDevice", Napi::Function::New(env, TryCharDevice)));
  static_cast<void>(exports.Set("setMemoryLock", Napi::Function::New(env, SetMemoryLockOf)));
  static_cast<void>(exports.Set("Host", Host::Define(env)));
  static_cast<void>(exports.Set("UeventMonitor", UeventMonitor::Define(env)));
  return exports;
}

}  // namespace

NODE_API_MODULE(vdpa_host, Init)

}  // namespace vdpa::addon
