// What a host remembers of its own reading, for a capture.
#include "core/recording.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/host.h"

namespace vdpa::addon {

Napi::Value Host::Record(const Napi::CallbackInfo& info) {
  if (!Open(info.Env())) return {};
  Result<HostRoot> root = HostRoot::Open(root_->Path());
  if (!root) return Throw(info.Env(), root.error());
  const Result<void> recording = root->Record();
  if (!recording) return Throw(info.Env(), recording.error());
  root_ = std::make_shared<const HostRoot>(std::move(*root));
  // The next call gets a lane whose session has the new root.
  lane_.reset();
  session_.reset();
  return info.Env().Undefined();
}

/// (after: string, limit: number): path, kind and content of each, in one list. Paths are bytes,
/// one character for each.
Napi::Value Host::Recorded(const Napi::CallbackInfo& info) {
  constexpr std::uint32_t kMostEntries = 100'000;
  Arguments arguments(info);
  const std::string after = arguments.Bytes();
  const std::uint32_t limit = arguments.Unsigned(kMostEntries);
  if (!arguments.Ok() || !Open(info.Env())) return {};
  const Napi::Env env = info.Env();
  Napi::Array list = Napi::Array::New(env);
  if (root_->Recorded() == nullptr) return list;
  std::uint32_t index = 0;
  for (const auto& [path, entry] : root_->Recorded()->After(after, limit)) {
    napi_value name = nullptr;
    if (napi_create_string_latin1(env, path.data(), path.size(), &name) != napi_ok) return {};
    static_cast<void>(list.Set(index++, Napi::Value(env, name)));
    static_cast<void>(
        list.Set(index++, Napi::Number::New(env, static_cast<std::uint32_t>(entry.kind))));
    static_cast<void>(list.Set(
        index++, Napi::Buffer<char>::Copy(env, entry.content.data(), entry.content.size())));
  }
  return list;
}

Napi::Value Host::Withheld(const Napi::CallbackInfo& info) {
  if (!Open(info.Env())) return {};
  Napi::Array list = Napi::Array::New(info.Env());
  if (root_->Recorded() == nullptr) return list;
  std::uint32_t index = 0;
  for (const std::string& path : root_->Recorded()->Withheld()) {
    static_cast<void>(list.Set(index++, Napi::String::New(info.Env(), path)));
  }
  return list;
}

}  // namespace vdpa::addon
