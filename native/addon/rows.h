// Core records to JavaScript rows: positional calls of the factories in src/rows.ts.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "addon/node_api.h"
#include "core/char_device.h"
#include "core/records.h"

namespace vdpa::addon {

/// Each makes one value on the environment's thread; undefined only while the environment is being
/// torn down.
Napi::Value MakeRow(Napi::Env env, const MgmtDevice& device);
Napi::Value MakeRow(Napi::Env env, const VdpaDevice& device);
Napi::Value MakeRow(Napi::Env env, const DeviceConfig& config);
Napi::Value MakeRow(Napi::Env env, const VendorStats& stats);
Napi::Value MakeRow(Napi::Env env, const Snapshot& snapshot);
Napi::Value MakeRow(Napi::Env env, const CharDeviceAnswer& answer);
Napi::Value MakeRow(Napi::Env env, const std::vector<MgmtDevice>& devices);
Napi::Value MakeRow(Napi::Env env, const std::vector<VdpaDevice>& devices);
Napi::Value MakeRow(Napi::Env env, const std::optional<std::string>& text);
/// Of a call that answers nothing.
Napi::Value MakeRow(Napi::Env env, std::monostate nothing);

}  // namespace vdpa::addon
