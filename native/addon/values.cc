#include "addon/values.h"

#include <array>
#include <cstring>

#include "addon/environment.h"
#include "addon/text.h"

namespace vdpa::addon {

namespace {

napi_value MakeText(napi_env env, const std::string& ascii) {
  napi_value value = nullptr;
  napi_create_string_latin1(env, ascii.data(), ascii.size(), &value);
  return value;
}

napi_value MakeText(napi_env env, const std::u16string& text) {
  napi_value value = nullptr;
  napi_create_string_utf16(env, text.data(), text.size(), &value);
  return value;
}

napi_value MakeCells(napi_env env, const std::vector<double>& cells) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_value value = nullptr;
  const std::size_t bytes = cells.size() * sizeof(double);
  if (napi_create_arraybuffer(env, bytes, &data, &buffer) != napi_ok) return nullptr;
  if (bytes > 0) std::memcpy(data, cells.data(), bytes);
  napi_create_typedarray(env, napi_float64_array, cells.size(), buffer, 0, &value);
  return value;
}

Napi::Value Make(Napi::Env env, std::monostate /*nothing*/) { return env.Undefined(); }

Napi::Value Make(Napi::Env env, const std::optional<std::string>& text) {
  if (!text) return env.Null();
  return {env, TextOf(env, *text)};
}

Napi::Value Make(Napi::Env env, const PackedRows& packed) {
  napi_value texts = nullptr;
  napi_value pair = nullptr;
  if (napi_create_array_with_length(env, packed.texts.size(), &texts) != napi_ok) return {};
  std::uint32_t index = 0;
  for (const auto& text : packed.texts) {
    const Napi::HandleScope scope(env);
    napi_set_element(env, texts, index++,
                     std::visit([env](const auto& some) { return MakeText(env, some); }, text));
  }
  napi_create_array_with_length(env, 2, &pair);
  napi_set_element(env, pair, 0, texts);
  napi_set_element(env, pair, 1, MakeCells(env, packed.cells));
  return {env, pair};
}

}  // namespace

Napi::Value MakeValue(Napi::Env env, const Answer& answer) {
  return std::visit([env](const auto& some) { return Make(env, some); }, answer);
}

Napi::Value MakeValue(Napi::Env env, const CharDeviceAnswer& answer) {
  const CharDevice none;
  const CharDevice& node = answer.char_device ? *answer.char_device : none;
  const auto number = [env](std::uint32_t value) -> napi_value {
    return Napi::Number::New(env, value);
  };
  const std::array<napi_value, 6> arguments = {
      number(static_cast<std::uint32_t>(answer.state)),
      TextOf(env, answer.vdpa_name),
      TextOf(env, answer.driver),
      answer.char_device ? TextOf(env, node.name) : napi_value(env.Null()),
      number(node.major),
      number(node.minor),
  };
  return Environment::Of(env).MakeResolved(env, arguments);
}

}  // namespace vdpa::addon
