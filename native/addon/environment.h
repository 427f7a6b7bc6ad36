// What one JavaScript environment (the main thread, or one worker) holds of the addon. Nothing of
// it is shared between environments; there is no global state.
#pragma once

#include <array>
#include <memory>

#include "addon/node_api.h"
#include "addon/outbox.h"
#include "core/result.h"

namespace vdpa::addon {

/// One per factory of src/rows.ts.
enum class RowKind : std::uint8_t {
  kAbi,
  kManagementDevice,
  kVdpaDevice,
  kBusDevice,
  kPciFunction,
  kScalableFunction,
  kNetdev,
  kDeviceConfig,
  kVendorStats,
  kSnapshot,
  kResolved,
  kCount,
};

class Environment {
 public:
  explicit Environment(std::shared_ptr<Outbox> outbox) : outbox_(std::move(outbox)) {}

  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  /// Takes the row factories and the error factory from TypeScript; false with a pending TypeError
  /// when one is missing.
  bool SetUp(Napi::Object rows, Napi::Function error);

  napi_value Factory(RowKind kind) const;
  /// Makes the VdpaError of a failed call.
  Napi::Value MakeError(Napi::Env env, const Error& error) const;
  const std::shared_ptr<Outbox>& SharedOutbox() const { return outbox_; }

 private:
  std::array<Napi::FunctionReference, static_cast<std::size_t>(RowKind::kCount)> factories_;
  Napi::FunctionReference error_;
  std::shared_ptr<Outbox> outbox_;
};

}  // namespace vdpa::addon
