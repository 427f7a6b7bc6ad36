#include "../core/memory_lock.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

using namespace vdpa;

TEST_CASE("the limit of another process is set, and the one before it told") {
  rlimit own{};
  REQUIRE(::getrlimit(RLIMIT_MEMLOCK, &own) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  REQUIRE(child > 0);
  const MemoryLock lower{0, own.rlim_max};
  const auto first = SetMemoryLock(child, lower);
  const auto second = SetMemoryLock(child, lower);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK(first == MemoryLock{own.rlim_cur, own.rlim_max});
  CHECK(second == lower);
  CHECK(SetMemoryLock(child, lower).error().errno_value == ESRCH);
}

TEST_CASE("a limit that makes no sense is refused, and nobody stands for the caller itself") {
  CHECK(SetMemoryLock(::getpid(), {2, 1}).error().errno_value == EINVAL);
  CHECK(SetMemoryLock(0, {0, 0}).error().errno_value == ESRCH);
  CHECK(SetMemoryLock(-1, {0, 0}).error().errno_value == ESRCH);
}
