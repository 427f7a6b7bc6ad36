#include "core/device_holders.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "core/unique_fd.h"

using namespace vdpa;

TEST_CASE("whoever has the char device open is named, by its number, whatever its node is called") {
  const HostRoot root = HostRoot::Open("/").value();
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const std::string self = std::to_string(getpid());
  const auto holds = [&](const std::string& node, const DeviceNumber& number) {
    const auto holders = FindHolders(root, node, number).value();
    const auto found = std::ranges::find(holders, self, &DeviceHolder::pid);
    if (found == holders.end()) return false;
    CHECK(found->command == root.ReadAttribute("proc/self/comm").value());
    return true;
  };
  CHECK(holds("null", {1, 3}));
  CHECK_FALSE(holds("null", {1, 5}));
  CHECK(holds("vhost-vdpa-0", {1, 3}));
  CHECK_FALSE(holds("vhost-vdpa-0", {1, 5}));
}
