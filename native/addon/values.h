// Answers of the lane's thread as JavaScript values; made on the environment's thread. Each is
// undefined only while the environment is being torn down.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "addon/node_api.h"
#include "addon/row_packer.h"
#include "core/char_device.h"

namespace vdpa::addon {

/// What a lane's work ends in: nothing, a text or none, or rows.
using Answer = std::variant<std::monostate, std::optional<std::string>, PackedRows>;

/// Rows become `[texts, cells]`: the PackedRows of src/row-reader.ts.
Napi::Value MakeValue(Napi::Env env, const Answer& answer);
/// By the factory of src/rows.ts: rows that are asked for one by one are not worth packing.
Napi::Value MakeValue(Napi::Env env, const CharDeviceAnswer& answer);

}  // namespace vdpa::addon
