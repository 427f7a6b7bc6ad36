#include "change_task.h"

#include <array>

#include "number_text.h"
#include "pci_address.h"

namespace vdpa {
namespace {

constexpr std::uint32_t kMostMilliseconds = 600'000;
constexpr std::size_t kNameLimit = 255;

std::unexpected<Error> Wrong(std::string message) {
  return Malformed("arguments", std::move(message));
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && name.size() <= kNameLimit && name != "." && name != ".." &&
         !name.contains('/');
}

Result<void> ParseIdentity(std::span<const std::string_view> rest, ChangeTask& task) {
  if (rest.empty()) return {};
  task.identity = ParseNumber<std::uint64_t>(rest[0]);
  if (rest.size() > 1 || !task.identity) return Wrong("not an identity");
  return {};
}

/// What follows the target.
Result<void> ParseRest(std::span<const std::string_view> rest, ChangeTask& task) {
  switch (task.kind) {
    case ChangeTask::Kind::kDelete:
      return ParseIdentity(rest, task);
    case ChangeTask::Kind::kBind:
      if (rest.empty() || (!rest[0].empty() && !IsPlainName(rest[0]))) {
        return Wrong("bind takes a driver");
      }
      task.driver = rest[0];
      return ParseIdentity(rest.subspan(1), task);
    case ChangeTask::Kind::kSetVfs: {
      if (rest.size() != 2) return Wrong("vfs takes two numbers");
      const auto now = ParseNumber<std::uint16_t>(rest[0]);
      const auto wanted = ParseNumber<std::uint16_t>(rest[1]);
      if (!now || !wanted) return Wrong("vfs takes numbers up to 65535");
      task.vfs_now = *now;
      task.vfs_wanted = *wanted;
      break;
    }
  }
  return {};
}

}  // namespace

Result<ChangeTask> ParseChangeTask(std::span<const std::string_view> words) {
  constexpr std::size_t kCommon = 4;
  if (words.size() < kCommon) return Wrong("expected VERB MS gentle|force TARGET");
  ChangeTask task;
  if (words[0] == "bind") {
    task.kind = ChangeTask::Kind::kBind;
  } else if (words[0] == "vfs") {
    task.kind = ChangeTask::Kind::kSetVfs;
  } else if (words[0] != "delete") {
    return Wrong("no such verb");
  }
  const auto milliseconds = ParseNumber<std::uint32_t>(words[1]);
  if (!milliseconds || *milliseconds > kMostMilliseconds) return Wrong("not a time limit");
  task.timeout = std::chrono::milliseconds(*milliseconds);
  if (words[2] != "gentle" && words[2] != "force") return Wrong("gentle or force");
  task.force = words[2] == "force";
  const bool is_pf = task.kind == ChangeTask::Kind::kSetVfs;
  if (is_pf ? !ParsePciAddress(words[3]) : !IsPlainName(words[3])) return Wrong("not a target");
  task.target = words[3];
  const Result<void> rest = ParseRest(words.subspan(kCommon), task);
  if (!rest) return std::unexpected(rest.error());
  return task;
}

std::string ReportLine(std::initializer_list<std::string_view> fields) {
  constexpr std::array kDigits = {'0', '1', '2', '3', '4', '5', '6', '7',
                                  '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
  constexpr unsigned char kFirstPrintable = 0x20;
  constexpr unsigned char kDelete = 0x7f;
  std::string line;
  for (const std::string_view field : fields) {
    if (!line.empty()) line += '\t';
    for (const char c : field) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= kFirstPrintable && byte != kDelete && c != '\\') {
        line += c;
      } else {
        line += "\\x";
        line += kDigits.at(byte >> 4U);
        line += kDigits.at(byte & 0xfU);
      }
    }
  }
  return line += '\n';
}

}  // namespace vdpa
