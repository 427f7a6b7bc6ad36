// The one way a core function fails: a value that says what was tried and what the kernel answered.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <utility>

namespace vdpa {

/// What kind of thing went wrong; callers branch on this, never on text.
enum class Fault : std::uint8_t {
  kSystem,    ///< a system call or the kernel's reply carried `errno_value`
  kNoFamily,  ///< the generic netlink family `vdpa` does not exist here (module, namespace)
  kTimeout,   ///< the kernel did not answer before the deadline; the socket is not to be used again
  kLost,      ///< answers were dropped (ENOBUFS, MSG_TRUNC): everything may have changed
  kMalformed,  ///< bytes from outside that do not have the promised form
  kGone,       ///< the object vanished between two looks at it
};

struct Error {
  Fault fault = Fault::kSystem;
  /// What was being done: a netlink command ("DEV_GET") or a call and its path ("open sys/…").
  std::string op;
  /// Positive errno, 0 when none applies.
  int errno_value = 0;
  /// The kernel's extended acknowledgement, or what exactly was malformed; may be empty.
  std::string message = {};
  /// Offset of the offending attribute in the request, as the kernel reported it.
  std::optional<std::uint32_t> attribute_offset = std::nullopt;

  bool operator==(const Error&) const = default;
};

template <typename T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> SystemError(std::string op, int errno_value) {
  return std::unexpected(Error{Fault::kSystem, std::move(op), errno_value});
}

inline std::unexpected<Error> Malformed(std::string op, std::string message) {
  return std::unexpected(Error{Fault::kMalformed, std::move(op), 0, std::move(message)});
}

}  // namespace vdpa
