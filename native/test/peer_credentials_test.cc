#include "../core/peer_credentials.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "../core/unique_fd.h"

using namespace vdpa;

TEST_CASE("the peer of a stream is who made it") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  CHECK(ReadPeerCredentials(one.Get()) == PeerCredentials{::getpid(), ::geteuid(), ::getegid()});
}

TEST_CASE("a peer that has gone is still known") {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
  const UniqueFd one(ends[0]);
  ::close(ends[1]);
  CHECK(ReadPeerCredentials(one.Get())->uid == ::geteuid());
}

TEST_CASE("where there is no peer there are no credentials") {
  const UniqueFd alone(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(ReadPeerCredentials(alone.Get()).error().errno_value == ENOTCONN);
  const UniqueFd inet(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(ReadPeerCredentials(inet.Get()).error().errno_value == ENOTCONN);
}

TEST_CASE("what is no socket has no peer") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  const UniqueFd one(ends[0]);
  const UniqueFd other(ends[1]);
  CHECK(ReadPeerCredentials(one.Get()).error().errno_value == ENOTSOCK);
  CHECK(ReadPeerCredentials(-1).error().errno_value == EBADF);
}
