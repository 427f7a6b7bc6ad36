#include "addon/environment.h"

#include <string>

#include "addon/text.h"

namespace vdpa::addon {

namespace {

constexpr std::array<const char*, static_cast<std::size_t>(RowKind::kCount)> kFactoryNames = {
    "abi",    "managementDevice", "vdpaDevice",  "busDevice", "pciFunction", "scalableFunction",
    "netdev", "deviceConfig",     "vendorStats", "snapshot",  "resolved",
};

}  // namespace

bool Environment::SetUp(Napi::Object rows, Napi::Function error) {
  const Napi::Env env = rows.Env();
  for (std::size_t i = 0; i < factories_.size(); ++i) {
    Napi::Value factory;
    if (!rows.Get(kFactoryNames[i]).UnwrapTo(&factory)) return false;
    if (!factory.IsFunction()) {
      Napi::TypeError::New(env, std::string("no row factory ") + kFactoryNames[i])
          .ThrowAsJavaScriptException();
      return false;
    }
    factories_[i] = Napi::Persistent(factory.As<Napi::Function>());
  }
  error_ = Napi::Persistent(error);
  return true;
}

napi_value Environment::Factory(RowKind kind) const {
  return factories_[static_cast<std::size_t>(kind)].Value();
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
