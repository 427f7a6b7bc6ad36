// The kernel's names as JavaScript strings, and back.
#pragma once

#include <string>

#include "addon/node_api.h"

namespace vdpa::addon {

/// A string that names one device only, whatever its bytes (core/name_text.h); undefined when
/// the environment ends.
napi_value TextOf(Napi::Env env, const std::string& name);

/// The bytes of the name that a string stands for.
std::string NameOf(const Napi::String& text);

}  // namespace vdpa::addon
