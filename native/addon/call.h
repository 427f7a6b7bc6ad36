// One asynchronous call: a promise, and whether the event loop still waits for it.
#pragma once

#include <memory>
#include <utility>

#include "addon/node_api.h"
#include "addon/outbox.h"

namespace vdpa::addon {

/// Used on the environment's thread only; other threads just hold it. Settled at most once.
class Call {
 public:
  /// Makes `promise` for the caller to return. Null while the environment is being terminated: then
  /// there are no promises any more, although JavaScript may still run for a moment.
  static std::shared_ptr<Call> Start(Napi::Env env, Napi::Value& promise) {
    napi_deferred deferred = nullptr;
    napi_value value = nullptr;
    if (napi_create_promise(env, &deferred, &value) != napi_ok) return nullptr;
    promise = {env, value};
    return std::shared_ptr<Call>(new Call(deferred));
  }

  /// From here to End the loop stays alive.
  void Begin(Outbox& outbox) {
    outbox.Expect();
    expected_ = true;
  }
  void End(Outbox& outbox) {
    if (expected_) outbox.Settle();
    expected_ = false;
  }

  void Resolve(Napi::Value value) {
    napi_resolve_deferred(value.Env(), std::exchange(deferred_, nullptr), value);
  }
  void Reject(Napi::Value error) {
    napi_reject_deferred(error.Env(), std::exchange(deferred_, nullptr), error);
  }

 private:
  explicit Call(napi_deferred deferred) : deferred_(deferred) {}

  napi_deferred deferred_;
  bool expected_ = false;
};

}  // namespace vdpa::addon
