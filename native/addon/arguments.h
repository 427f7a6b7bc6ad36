// The arguments of one call, taken one after the other with their types checked.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "addon/node_api.h"
#include "core/records.h"
#include "core/vdpa_codec.h"

namespace vdpa::addon {

/// Sticky: after the first wrong argument everything yields an empty value and Ok() is false with a
/// TypeError pending. TypeScript has validated what people write; this guards the boundary itself.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  bool Ok() const { return ok_; }
  Napi::Env Env() const { return info_.Env(); }
  /// A name, or what contains one, as the kernel has it (addon/text.h).
  std::string Text();
  /// A list of such names.
  std::vector<std::string> Texts();
  /// A path of this machine, as it was given.
  std::string Path();
  /// Of a string whose characters are bytes.
  std::string Bytes();
  /// An integer up to `limit`.
  std::uint32_t Unsigned(std::uint32_t limit = std::numeric_limits<std::uint32_t>::max());
  /// A number of bytes; RLIM_INFINITY for what has no end.
  std::uint64_t Limit();
  /// How long a call may take; finite, so that adding it to the clock can not overflow.
  std::chrono::nanoseconds Timeout();
  MacAddress Mac();
  /// The NativeAddRequest of src/native.ts.
  std::optional<AddRequest> Add();

 private:
  Napi::Value Next() { return info_[index_++]; }
  template <typename Read>
  std::string BytesOf(const Napi::Value& value, const Read& read);
  void Refuse(const std::string& expected);

  const Napi::CallbackInfo& info_;
  std::size_t index_ = 0;
  bool ok_ = true;
};

}  // namespace vdpa::addon
