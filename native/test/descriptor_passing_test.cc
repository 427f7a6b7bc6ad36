#include "../core/descriptor_passing.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../core/unique_fd.h"

using namespace vdpa;

namespace {

struct Stream {
  Stream() {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    sender = UniqueFd(ends[0]);
    receiver = UniqueFd(ends[1]);
    REQUIRE(::fcntl(sender.Get(), F_SETFL, O_NONBLOCK) == 0);
  }

  UniqueFd sender;
  UniqueFd receiver;
};

struct Received {
  std::string bytes;
  std::vector<UniqueFd> descriptors;
};

/// Reads until so many bytes have come.
Received Receive(int fd, std::size_t wanted) {
  Received all;
  while (all.bytes.size() < wanted) {
    std::array<char, 4096> buffer{};
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t size = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (size <= 0) break;
    all.bytes.append(buffer.data(), static_cast<std::size_t>(size));
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
      int descriptor = -1;
      std::copy_n(CMSG_DATA(header), sizeof(descriptor), reinterpret_cast<char*>(&descriptor));
      all.descriptors.emplace_back(descriptor);
    }
  }
  return all;
}

Deadline In(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

constexpr std::chrono::milliseconds kLong{60'000};

ino_t FileOf(int fd) {
  struct stat status{};
  REQUIRE(::fstat(fd, &status) == 0);
  return status.st_ino;
}

}  // namespace

TEST_CASE("a descriptor arrives with the bytes") {
  const Stream stream;
  const UniqueFd file(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(SendWithDescriptor(stream.sender.Get(), "line\n", file.Get(), In(kLong)));
  const Received got = Receive(stream.receiver.Get(), 5);
  CHECK(got.bytes == "line\n");
  REQUIRE(got.descriptors.size() == 1);
  CHECK(FileOf(got.descriptors[0].Get()) == FileOf(file.Get()));
}

TEST_CASE("one descriptor arrives however many pieces the bytes are sent in") {
  const Stream stream;
  const UniqueFd file(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // More than the stream holds: most of it must wait until somebody reads.
  const std::string bytes(4U << 20U, 'x');
  Received got;
  std::jthread reader([&] { got = Receive(stream.receiver.Get(), bytes.size()); });
  CHECK(SendWithDescriptor(stream.sender.Get(), bytes, file.Get(), In(kLong)));
  reader.join();
  CHECK(got.bytes == bytes);
  CHECK(got.descriptors.size() == 1);
}

TEST_CASE("where nobody reads, the deadline ends it") {
  const Stream stream;
  const std::string bytes(4U << 20U, 'x');
  const auto sent =
      SendWithDescriptor(stream.sender.Get(), bytes, stream.sender.Get(), In(kLong / 6000));
  CHECK(sent.error().fault == Fault::kTimeout);
}

TEST_CASE("a closed end is an error, and no signal") {
  Stream stream;
  stream.receiver = UniqueFd();
  const auto sent =
      SendWithDescriptor(stream.sender.Get(), "line\n", stream.sender.Get(), In(kLong));
  CHECK(sent.error().errno_value == EPIPE);
}

TEST_CASE("what cannot be passed is refused") {
  const Stream stream;
  const int sender = stream.sender.Get();
  CHECK(SendWithDescriptor(sender, "", sender, In(kLong)).error().errno_value == EINVAL);
  CHECK(SendWithDescriptor(-1, "x", sender, In(kLong)).error().errno_value == EBADF);
  const int closed = ::fcntl(sender, F_DUPFD_CLOEXEC, 100);
  ::close(closed);
  CHECK(SendWithDescriptor(sender, "x", closed, In(kLong)).error().errno_value == EBADF);
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  CHECK(SendWithDescriptor(writing.Get(), "x", sender, In(kLong)).error().errno_value == ENOTSOCK);
}
