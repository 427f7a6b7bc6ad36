#include "addon/text.h"

#include "core/name_text.h"

namespace vdpa::addon {

napi_value TextOf(Napi::Env env, const std::string& name) {
  napi_value value = env.Undefined();
  // Nearly all names are ASCII, for which Latin-1 is the same and needs no decoding.
  if (IsItsOwnText(name)) {
    napi_create_string_latin1(env, name.data(), name.size(), &value);
  } else {
    const std::string text = TextOfName(name);
    napi_create_string_utf8(env, text.data(), text.size(), &value);
  }
  return value;
}

std::string NameOf(const Napi::String& text) { return NameOfText(text.Utf8Value()); }

}  // namespace vdpa::addon
