#include "pci_address.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "number_text.h"

namespace vdpa {
namespace {

constexpr std::size_t kTail = 8;  // ":65:00.2"
constexpr std::size_t kShortDomain = 4;
constexpr std::size_t kLongDomain = 8;

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

template <typename T>
std::optional<T> ParseLowerHex(std::string_view text) {
  if (!std::ranges::all_of(text, IsLowerHex)) return std::nullopt;
  return ParseNumber<T>(text, 16);
}

}  // namespace

std::optional<PciAddress> ParsePciAddress(std::string_view text) {
  if (text.size() < kShortDomain + kTail || text.size() > kLongDomain + kTail) return std::nullopt;
  const std::string_view domain_text = text.substr(0, text.size() - kTail);
  const std::string_view tail = text.substr(text.size() - kTail);
  if (domain_text.size() > kShortDomain && domain_text.front() == '0') return std::nullopt;
  if (tail[0] != ':' || tail[3] != ':' || tail[6] != '.') return std::nullopt;
  const auto domain = ParseLowerHex<std::uint32_t>(domain_text);
  const auto bus = ParseLowerHex<std::uint8_t>(tail.substr(1, 2));
  const auto device = ParseLowerHex<std::uint8_t>(tail.substr(4, 2));
  const auto function = ParseLowerHex<std::uint8_t>(tail.substr(7, 1));
  if (!domain || !bus || !device || !function || *device > 31 || *function > 7) return std::nullopt;
  return PciAddress{*domain, *bus, *device, *function};
}

std::string FormatPciAddress(const PciAddress& address) {
  std::array<char, kLongDomain + kTail + 1> text{};
  const int size = std::snprintf(text.data(), text.size(), "%04x:%02x:%02x.%x", address.domain,
                                 unsigned{address.bus}, unsigned{address.device} & 31U,
                                 unsigned{address.function} & 7U);
  return {text.data(), static_cast<std::size_t>(size)};
}

std::optional<PciAddress> VfAddress(const PciAddress& pf, std::uint32_t offset,
                                    std::uint32_t stride, std::uint32_t index) {
  const std::uint64_t own =
      std::uint64_t{pf.bus} << 8U | std::uint64_t{pf.device} << 3U | std::uint64_t{pf.function};
  const std::uint64_t rid = own + offset + std::uint64_t{index} * stride;
  if (rid > 0xffffU) return std::nullopt;
  return PciAddress{pf.domain, static_cast<std::uint8_t>(rid >> 8U),
                    static_cast<std::uint8_t>(rid >> 3U & 31U),
                    static_cast<std::uint8_t>(rid & 7U)};
}

}  // namespace vdpa
