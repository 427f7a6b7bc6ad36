#include "device_path.h"

#include <algorithm>

#include "pci_address.h"

namespace vdpa {
namespace {

constexpr std::string_view kUp = "../";
constexpr std::string_view kDevices = "devices/";
constexpr std::string_view kVhostPrefix = "vhost-vdpa-";

bool IsDigits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

template <typename Predicate>
std::string_view NearestComponent(std::string_view path, Predicate accepts) {
  while (!path.empty()) {
    const std::string_view component = LastComponent(path);
    if (accepts(component)) return component;
    path = ParentPath(path);
  }
  return {};
}

bool IsPlainPath(std::string_view path) {
  for (;;) {
    const std::string_view component = path.substr(0, path.find('/'));
    if (component.empty() || component == "." || component == "..") return false;
    if (component.size() == path.size()) return true;
    path.remove_prefix(component.size() + 1);
  }
}

/// The middle and last part of "module.name.id"; module names hold no dot, ids are decimal.
struct AuxiliaryName {
  std::string_view name;
  std::string_view id;
};

AuxiliaryName SplitAuxiliary(std::string_view component) {
  const std::size_t first = component.find('.');
  const std::size_t last = component.rfind('.');
  if (first == std::string_view::npos || first == 0 || first == last) return {};
  return {component.substr(first + 1, last - first - 1), component.substr(last + 1)};
}

}  // namespace

std::optional<std::string_view> DevicesPath(std::string_view link_target) {
  while (link_target.starts_with(kUp)) link_target.remove_prefix(kUp.size());
  if (!link_target.starts_with(kDevices)) return std::nullopt;
  link_target.remove_prefix(kDevices.size());
  if (!IsPlainPath(link_target)) return std::nullopt;
  return link_target;
}

std::string_view LastComponent(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view ParentPath(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string_view NearestPciComponent(std::string_view path) {
  return NearestComponent(
      path, [](std::string_view component) { return ParsePciAddress(component).has_value(); });
}

std::string_view NearestSfComponent(std::string_view path) {
  return NearestComponent(path, [](std::string_view component) {
    return IsAuxiliaryName(component) && SplitAuxiliary(component).name == "sf";
  });
}

bool IsAuxiliaryName(std::string_view component) {
  const AuxiliaryName parts = SplitAuxiliary(component);
  return !parts.name.empty() && IsDigits(parts.id);
}

bool IsVhostName(std::string_view component) {
  return component.starts_with(kVhostPrefix) && IsDigits(component.substr(kVhostPrefix.size()));
}

std::optional<VhostPath> ParseVhostPath(std::string_view link_target) {
  const std::optional<std::string_view> path = DevicesPath(link_target);
  if (!path || !IsVhostName(LastComponent(*path))) return std::nullopt;
  const std::string_view vdpa_path = ParentPath(*path);
  if (vdpa_path.empty()) return std::nullopt;
  return VhostPath{ParentPath(vdpa_path), LastComponent(vdpa_path), LastComponent(*path)};
}

}  // namespace vdpa
