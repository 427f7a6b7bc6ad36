#include "../core/supervisor.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "../core/unique_fd.h"

using namespace vdpa;

namespace {

/// A supervisor's socket in a folder of its own, or with an abstract name.
class Supervisor {
 public:
  explicit Supervisor(bool abstract)
      : fd_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    REQUIRE(::mkdtemp(folder_.data()) != nullptr);
    name_ = folder_ + "/notify";
    if (abstract) name_[0] = '@';
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path, name_.size());
    if (abstract) address.sun_path[0] = '\0';
    const std::size_t size = offsetof(sockaddr_un, sun_path) + name_.size() + (abstract ? 0 : 1);
    REQUIRE(::bind(fd_.Get(), reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(size)) == 0);
  }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  ~Supervisor() {
    if (name_[0] == '/') ::unlink(name_.c_str());
    ::rmdir(folder_.c_str());
  }

  const std::string& Name() const { return name_; }
  std::string Received() const {
    std::array<char, 256> text{};
    const ssize_t size = ::recv(fd_.Get(), text.data(), text.size(), 0);
    return size < 0 ? "nothing" : std::string(text.data(), static_cast<std::size_t>(size));
  }

 private:
  std::string folder_ = "/tmp/vdpa-host-notify-XXXXXX";
  std::string name_;
  UniqueFd fd_;
};

int RefusalOf(const std::string& socket) {
  const auto told = NotifySupervisor(socket, "READY=1");
  return told ? 0 : told.error().errno_value;
}

}  // namespace

TEST_CASE("a supervisor is told at a path and at an abstract name") {
  for (const bool abstract : {false, true}) {
    CAPTURE(abstract);
    const Supervisor supervisor(abstract);
    REQUIRE(NotifySupervisor(supervisor.Name(), "READY=1\nSTATUS=here"));
    CHECK(supervisor.Received() == "READY=1\nSTATUS=here");
    CHECK(supervisor.Received() == "nothing");
  }
}

TEST_CASE("names that a socket cannot have are refused") {
  CHECK(RefusalOf("") == EINVAL);
  CHECK(RefusalOf("relative") == EINVAL);
  CHECK(RefusalOf("vsock:2:1234") == EINVAL);
  CHECK(RefusalOf("/" + std::string(107, 'x')) == EINVAL);
  CHECK(RefusalOf("@" + std::string(108, 'x')) == EINVAL);
}

TEST_CASE("a supervisor that is not there is said to be missing") {
  CHECK(RefusalOf("/" + std::string(106, 'x')) == ENOENT);
  CHECK(RefusalOf("@" + std::string(107, 'x')) == ECONNREFUSED);
}

TEST_CASE("a supervisor that reads nothing is not waited for") {
  const Supervisor supervisor(true);
  int refusal = 0;
  // Linux queues net.unix.max_dgram_qlen messages, ten unless told otherwise.
  for (int sent = 0; refusal == 0 && sent < 100'000; ++sent) refusal = RefusalOf(supervisor.Name());
  CHECK(refusal == EAGAIN);
}
