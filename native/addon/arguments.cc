#include "addon/arguments.h"

#include <sys/resource.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "addon/text.h"

namespace vdpa::addon {

namespace {

std::optional<MacAddress> ParseMac(const std::string& text) {
  MacAddress mac{};
  constexpr std::size_t kLength = 17;
  if (text.size() != kLength) return std::nullopt;
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const char* begin = text.data() + 3 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, mac[i], 16);
    if (error != std::errc() || end != begin + 2) return std::nullopt;
    if (i + 1 < mac.size() && *end != ':') return std::nullopt;
  }
  return mac;
}

/// One property of an object; nothing when it is null, a refusal when it has another type.
class Properties {
 public:
  explicit Properties(Napi::Object object) : object_(object) {}

  bool Ok() const { return ok_; }

  std::optional<std::string> Text(const char* name) {
    const Napi::Value value = Get(name);
    if (value.IsNull()) return std::nullopt;
    if (!value.IsString()) return Refuse<std::string>();
    return NameOf(value.As<Napi::String>());
  }

  std::optional<std::uint16_t> Word(const char* name) {
    const Napi::Value value = Get(name);
    if (value.IsNull()) return std::nullopt;
    if (!value.IsNumber()) return Refuse<std::uint16_t>();
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number < 0 || number > std::numeric_limits<std::uint16_t>::max() ||
        std::trunc(number) != number) {
      return Refuse<std::uint16_t>();
    }
    return static_cast<std::uint16_t>(number);
  }

  std::optional<std::uint64_t> BigWord(const char* name) {
    const Napi::Value value = Get(name);
    if (value.IsNull()) return std::nullopt;
    if (!value.IsBigInt()) return Refuse<std::uint64_t>();
    bool lossless = false;
    const std::uint64_t word = value.As<Napi::BigInt>().Uint64Value(&lossless);
    return lossless ? std::optional(word) : Refuse<std::uint64_t>();
  }

  std::optional<MacAddress> Mac(const char* name) {
    const std::optional<std::string> text = Text(name);
    if (!text) return std::nullopt;
    const std::optional<MacAddress> mac = ParseMac(*text);
    return mac ? mac : Refuse<MacAddress>();
  }

 private:
  Napi::Value Get(const char* name) {
    Napi::Value value = object_.Env().Null();
    if (!object_.Get(name).UnwrapTo(&value)) ok_ = false;
    return value;
  }
  template <typename T>
  std::optional<T> Refuse() {
    ok_ = false;
    return std::nullopt;
  }

  Napi::Object object_;
  bool ok_ = true;
};

}  // namespace

void Arguments::Refuse(const std::string& expected) {
  if (!ok_) return;
  ok_ = false;
  // A getter of the argument may have thrown: its error is the one that counts, and a second one
  // on top of it would end the process.
  if (info_.Env().IsExceptionPending()) return;
  Napi::TypeError::New(info_.Env(), "argument " + std::to_string(index_) + ": expected " + expected)
      .ThrowAsJavaScriptException();
}

template <typename Read>
std::string Arguments::BytesOf(const Napi::Value& value, const Read& read) {
  if (!value.IsString()) {
    Refuse("a string");
    return {};
  }
  std::string bytes = read(value.As<Napi::String>());
  if (bytes.contains('\0')) Refuse("a string without NUL");
  return bytes;
}

std::string Arguments::Text() { return BytesOf(Next(), NameOf); }

std::string Arguments::Path() {
  return BytesOf(Next(), [](const Napi::String& text) { return text.Utf8Value(); });
}

std::vector<std::string> Arguments::Texts() {
  const Napi::Value value = Next();
  std::vector<std::string> texts;
  if (!value.IsArray()) {
    Refuse("a list of strings");
    return texts;
  }
  const auto list = value.As<Napi::Array>();
  for (std::uint32_t i = 0; ok_ && i < list.Length(); ++i) {
    Napi::Value text;
    if (!list.Get(i).UnwrapTo(&text)) {
      Refuse("a list of strings");
    } else {
      texts.push_back(BytesOf(text, NameOf));
    }
  }
  return texts;
}

std::string Arguments::Bytes() {
  const Napi::Value value = Next();
  std::size_t size = 0;
  if (napi_get_value_string_latin1(info_.Env(), value, nullptr, 0, &size) != napi_ok) {
    Refuse("a string");
    return {};
  }
  std::string bytes(size + 1, '\0');
  napi_get_value_string_latin1(info_.Env(), value, bytes.data(), bytes.size(), &size);
  bytes.resize(size);
  return bytes;
}

std::uint32_t Arguments::Unsigned(std::uint32_t limit) {
  const Napi::Value value = Next();
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (number >= 0 && number <= limit && std::trunc(number) == number) {
    return static_cast<std::uint32_t>(number);
  }
  Refuse("an integer from 0 to " + std::to_string(limit));
  return 0;
}

std::uint64_t Arguments::Limit() {
  constexpr double kMaxExact = 9007199254740991;  // Number.MAX_SAFE_INTEGER
  const Napi::Value value = Next();
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (number == std::numeric_limits<double>::infinity()) return RLIM_INFINITY;
  if (number >= 0 && number <= kMaxExact && std::trunc(number) == number) {
    return static_cast<std::uint64_t>(number);
  }
  Refuse("a number of bytes");
  return 0;
}

std::chrono::nanoseconds Arguments::Timeout() {
  constexpr double kMaxMilliseconds = 86'400'000;  // a day
  const Napi::Value value = Next();
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (number >= 0 && number <= kMaxMilliseconds) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::chrono::duration<double, std::milli>(number));
  }
  Refuse("milliseconds, at most a day");
  return {};
}

MacAddress Arguments::Mac() {
  const std::optional<MacAddress> mac = ParseMac(Text());
  if (!mac) Refuse("a MAC address like 02:00:00:00:00:01");
  return mac.value_or(MacAddress{});
}

std::optional<AddRequest> Arguments::Add() {
  const Napi::Value value = Next();
  if (!value.IsObject()) {
    Refuse("an object");
    return std::nullopt;
  }
  Properties properties(value.As<Napi::Object>());
  AddRequest request{
      .name = properties.Text("name").value_or(""),
      .mgmt_bus = properties.Text("managementBus").value_or(""),
      .mgmt_name = properties.Text("managementName").value_or(""),
      .mac = properties.Mac("mac"),
      .mtu = properties.Word("mtu"),
      .max_vq_pairs = properties.Word("maxVqPairs"),
      .features = properties.BigWord("features"),
  };
  if (!properties.Ok()) {
    Refuse("the attributes of a new device");
    return std::nullopt;
  }
  return request;
}

}  // namespace vdpa::addon
