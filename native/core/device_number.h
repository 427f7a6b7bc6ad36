// The major and minor number of a device node, as sysfs writes them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "number_text.h"

namespace vdpa {

struct DeviceNumber {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;

  bool operator==(const DeviceNumber&) const = default;
};

/// Reads "250:3", the form of every `dev` attribute and of the names in sys/dev/char.
inline std::optional<DeviceNumber> ParseDeviceNumber(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto major_number = ParseNumber<std::uint32_t>(text.substr(0, colon));
  const auto minor_number = ParseNumber<std::uint32_t>(text.substr(colon + 1));
  if (!major_number || !minor_number) return std::nullopt;
  return DeviceNumber{*major_number, *minor_number};
}

inline std::string FormatDeviceNumber(const DeviceNumber& number) {
  return std::to_string(number.major) + ":" + std::to_string(number.minor);
}

}  // namespace vdpa
