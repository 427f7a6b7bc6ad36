#include "addon/environment.h"

#include "addon/text.h"

namespace vdpa::addon {

void Environment::SetUp(Napi::Function resolved, Napi::Function error) {
  resolved_ = Napi::Persistent(resolved);
  error_ = Napi::Persistent(error);
}

Napi::Value Environment::MakeResolved(Napi::Env env, std::span<const napi_value> arguments) const {
  napi_value made = env.Undefined();
  napi_call_function(env, made, resolved_.Value(), arguments.size(), arguments.data(), &made);
  return {env, made};
}

Napi::Value Environment::MakeError(Napi::Env env, const Error& error) const {
  const Napi::Value offset =
      error.attribute_offset ? Napi::Number::New(env, *error.attribute_offset) : env.Null();
  Napi::Value made;
  const bool ok =
      error_
          .Call({Napi::Number::New(env, static_cast<int>(error.fault)),
                 Napi::Value(env, TextOf(env, error.op)), Napi::Number::New(env, error.errno_value),
                 Napi::Value(env, TextOf(env, error.message)), offset})
          .UnwrapTo(&made);
  return ok ? made : env.Undefined();
}

}  // namespace vdpa::addon
