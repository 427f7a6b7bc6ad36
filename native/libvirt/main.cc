// vdpa_host_libvirt LIBRARY URI: libvirt's C library in a process of its own. The library keeps
// state of the whole process, and a call to it cannot be cancelled; this process can be ended at
// any moment. Requests come over standard input, answers and events go to standard output
// (answers.h).
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/inherited_descriptors.h"
#include "core/netstring.h"
#include "libvirt/answers.h"
#include "libvirt/calls.h"
#include "libvirt/connection.h"
#include "libvirt/library.h"

namespace {

/// Of one request: libvirt itself takes no text longer than half of that.
constexpr std::size_t kLongestRequest = 8U << 20U;
constexpr std::size_t kReadBytes = 65536;
constexpr int kMisused = 2;

/// Hands over the requests that are whole, and takes them from the bytes. False when they are none.
bool TakeRequests(std::string& bytes, vdpa::libvirt::Calls& calls) {
  std::string_view left = bytes;
  for (;;) {
    const auto next = vdpa::ParseNetstring(left, kLongestRequest);
    if (!next) return false;
    const std::optional<vdpa::Netstring>& whole = *next;
    if (!whole) break;
    const auto fields = vdpa::ParseNetstrings(whole->value);
    if (!fields || fields->size() < 2) return false;
    calls.Add({std::string(fields->front()),
               std::vector<std::string>(fields->begin() + 1, fields->end())});
    left.remove_prefix(whole->size);
  }
  bytes.erase(0, bytes.size() - left.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace vdpa;
  using namespace vdpa::libvirt;
  CloseInheritedDescriptors();
  std::signal(SIGPIPE, SIG_IGN);
  // A supervisor ends whole groups of processes: what is under way here ends with who started it.
  for (const int number : {SIGHUP, SIGINT, SIGTERM}) std::signal(number, SIG_IGN);
  // Whoever started it and is killed leaves nobody behind who closes standard input at once.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (arguments.size() != 3) return kMisused;

  Answers answers(STDOUT_FILENO);
  std::string why;
  const std::unique_ptr<const Library> library = LoadLibrary(arguments[1], why);
  if (library == nullptr) {
    answers.Say({"", "missing", why});
    return 0;
  }
  Connection connection(*library, answers);
  if (!connection.Open(arguments[2])) _exit(0);
  Calls calls(connection);
  std::string bytes;
  for (;;) {
    std::array<char, kReadBytes> buffer;
    const ssize_t got = read(STDIN_FILENO, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    // At once, whatever the threads wait for.
    if (got <= 0) _exit(0);
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    if (!TakeRequests(bytes, calls)) _exit(kMisused);
  }
}
