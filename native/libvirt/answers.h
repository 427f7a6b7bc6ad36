// What the program says, on its standard output: netstrings, each of a list of netstrings.
#pragma once

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace vdpa::libvirt {

/// Any thread may speak; what one says is never mixed with what another does. Ends the process when
/// nobody listens any more.
///
/// To a request: its id, then `ok` and what was found; or `refused`, libvirt's code and domain of
/// the error, and its message; or `lost`, which says that the connection ended before the answer.
/// Of itself, with an empty id: `missing` WHY; `unopened` CODE DOMAIN MESSAGE; `open`; `closed`
/// REASON; `added`, `removed` or `kept` UUID NAME ALIAS; `stopped` UUID NAME.
class Answers {
 public:
  explicit Answers(int fd) : fd_(fd) {}

  void Say(const std::vector<std::string_view>& fields);

 private:
  int fd_;
  std::mutex mutex_;
};

}  // namespace vdpa::libvirt
