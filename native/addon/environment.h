// What one JavaScript environment (the main thread, or one worker) holds of the addon. Nothing of
// it is shared between environments; there is no global state.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "addon/node_api.h"
#include "addon/outbox.h"
#include "core/result.h"

namespace vdpa::addon {

class Environment {
 public:
  explicit Environment(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {}

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  /// Takes the factories from TypeScript: of src/rows.ts, and of src/native-error.ts.
  void SetUp(Napi::Function resolved, Napi::Function error);

  /// Makes the ResolvedRow of src/rows.ts.
  Napi::Value MakeResolved(Napi::Env env, std::span<const napi_value> arguments) const;
  /// Makes the VdpaError of a failed call.
  Napi::Value MakeError(Napi::Env env, const Error& error) const;
  const std::shared_ptr<Outbox>& SharedOutbox() const { return outbox_; }

 private:
  Napi::FunctionReference resolved_;
  Napi::FunctionReference error_;
  std::shared_ptr<Outbox> outbox_;
};

}  // namespace vdpa::addon
