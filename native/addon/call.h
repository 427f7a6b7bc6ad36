// One asynchronous call: a promise, and whether the event loop still waits for it.
#pragma once

#include "addon/node_api.h"
#include "addon/outbox.h"

namespace vdpa::addon {

/// Used on the environment's thread only; other threads just hold it. Settled at most once.
class Call {
 public:
  explicit Call(Napi::Env env) : deferred_(Napi::Promise::Deferred::New(env)) {}

  Napi::Value Promise() const { return deferred_.Promise(); }

  /// From here to End the loop stays alive.
  void Begin(Outbox& outbox) {
    outbox.Expect();
    expected_ = true;
  }
  void End(Outbox& outbox) {
    if (expected_) outbox.Settle();
    expected_ = false;
  }

  void Resolve(Napi::Value value) const { deferred_.Resolve(value); }
  void Reject(Napi::Value error) const { deferred_.Reject(error); }

 private:
  Napi::Promise::Deferred deferred_;
  bool expected_ = false;
};

}  // namespace vdpa::addon
