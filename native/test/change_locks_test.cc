#include "core/change_locks.h"

#include <doctest/doctest.h>

#include <optional>

#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::SysfsTree;

TEST_CASE("an object is one holder's at a time, others are free, and the end gives all back") {
  SysfsTree tree;
  tree.File("sys/bus/vdpa/drivers_probe", "");
  const HostRoot root = tree.Live();
  std::optional<ChangeLocks> first = ChangeLocks::Open(root).value();
  const ChangeLocks second = ChangeLocks::Open(root).value();
  CHECK(first->Take(7).value());
  CHECK(first->Take(~std::uint64_t{0} >> 1U).value());
  CHECK_FALSE(second.Take(7).value());
  CHECK_FALSE(second.Take(~std::uint64_t{0}).value());
  CHECK(second.Take(8).value());
  CHECK_FALSE(first->Take(8).value());
  first.reset();
  CHECK(second.Take(7).value());
}

TEST_CASE("another object of the same name is told from the first") {
  SysfsTree tree;
  tree.VdpaDevice("virtual/sim", "sim0");
  const HostRoot root = tree.Live();
  const std::string path = "sys/bus/vdpa/devices/sim0";
  const std::uint64_t before = root.Identity(path).value();
  CHECK(root.Identity(path).value() == before);
  // Made while the first is still there: a file system of disks would give its number again.
  tree.VdpaDevice("virtual/other", "sim1");
  tree.RemoveVdpaDevice("virtual/sim", "sim0");
  CHECK(root.Identity(path).error().fault == Fault::kGone);
  tree.Link(path, "../../../devices/virtual/other/sim1");
  CHECK(root.Identity(path).value() != before);
  CHECK(tree.Captured().Identity(path).error().errno_value == EROFS);
}
