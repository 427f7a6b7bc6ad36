#include "core/host_channels.h"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>
#include <string>

#include "core/vdpa_family.h"
#include "support/bytes.h"
#include "support/kernel_bytes.h"
#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::FromHex;
using vdpa::test::SysfsTree;

namespace {

Deadline Later() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

std::string Text(std::string_view hex) {
  const auto bytes = FromHex(hex);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

TEST_CASE("a captured root answers from its recording") {
  SysfsTree tree;
  tree.File("netlink/getfamily.bin", Text(test::kGetFamily));
  tree.File("netlink/dev-dump.bin", Text(test::kDevDump));
  const auto root = std::make_shared<const HostRoot>(tree.Captured());
  VdpaFamily family(VdpaChannels(root));
  CHECK(family.ReadDevices(Later())->size() == 3);
  CHECK(family.ReadMgmtDevices(Later())->empty());
  CHECK(LinksOf(root)(Later())->links.empty());
}

TEST_CASE("a recording has a limit") {
  SysfsTree tree;
  tree.File("netlink/getfamily.bin", Text(test::kGetFamily));
  tree.File("netlink/dev-dump.bin", std::string((std::size_t{8} << 20U) + 1, '\0'));
  VdpaFamily family(VdpaChannels(std::make_shared<const HostRoot>(tree.Captured())));
  const auto devices = family.ReadDevices(Later());
  REQUIRE_FALSE(devices);
  CHECK(devices.error().op == "read netlink/dev-dump.bin");
}
