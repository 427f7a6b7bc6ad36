// The attribute files of one PCI function.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host_root.h"
#include "number_text.h"
#include "pci_address.h"
#include "records.h"
#include "result.h"

namespace vdpa {

/// Old kernels lack some files: those are unset. A function that is gone is Fault::kGone. A view:
/// it lives no longer than the root and the address text.
class PciAttributes {
 public:
  PciAttributes(const HostRoot& root, std::string_view address) : root_(&root), address_(address) {}

  /// Everything that the function itself tells.
  Result<PciFunction> ReadFunction() const;

  /// The ids and the driver only.
  Result<PciFunction> ReadIdentity() const;

  /// Takes the device lock in the kernel: never for many functions.
  Result<std::optional<std::string>> ReadOverride() const;

  Result<std::optional<std::uint32_t>> ReadIommuGroup() const;

  /// The function that a link such as `physfn` or `virtfn0` names, whether or not it exists.
  Result<std::optional<PciAddress>> ReadFunctionLink(const std::string& name) const;

  /// A number, in hexadecimal with or without "0x" when `base` is 16.
  template <std::integral T>
  Result<std::optional<T>> ReadNumber(const std::string& name, int base = 10) const {
    const std::string path = PathOf(name);
    const auto text = root_->ReadAttribute(path);
    if (!text && IsGone(text.error())) return std::optional<T>();
    if (!text) return std::unexpected(text.error());
    std::string_view digits = *text;
    if (base == 16 && digits.starts_with("0x")) digits.remove_prefix(2);
    const std::optional<T> number = ParseNumber<T>(digits, base);
    if (!number) return Malformed("read " + path, "not a number in range: " + *text);
    return number;
  }

 private:
  std::string PathOf(const std::string& name) const;

  const HostRoot* root_;
  std::string_view address_;
};

}  // namespace vdpa
