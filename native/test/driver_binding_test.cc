#include "core/driver_binding.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "core/private_node.h"
#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::SysfsTree;

TEST_CASE("binding, unbinding and reserving write the kernel's words to its files") {
  SysfsTree tree;
  tree.VdpaDevice("virtual/sim", "sim0");
  tree.File("sys/bus/vdpa/drivers/vhost_vdpa/bind", "");
  tree.File("sys/bus/vdpa/drivers/vhost_vdpa/unbind", "");
  tree.File("sys/devices/virtual/sim/sim0/driver_override", "(null)\n");
  const HostRoot root = tree.Live();

  CHECK(ReadOverride(root, "sim0").value().empty());
  REQUIRE(WriteOverride(root, "sim0", kReservation));
  CHECK(root.ReadAttribute("sys/devices/virtual/sim/sim0/driver_override").value() == "vdpa-host");
  REQUIRE(BindDriver(root, "sim0", "vhost_vdpa"));
  CHECK(root.ReadAttribute("sys/bus/vdpa/drivers/vhost_vdpa/bind").value() == "sim0");
  REQUIRE(UnbindDriver(root, "sim0", "vhost_vdpa"));
  CHECK(root.ReadAttribute("sys/bus/vdpa/drivers/vhost_vdpa/unbind").value() == "sim0");
  CHECK(BindDriver(root, "sim0", "none").error().fault == Fault::kGone);
}

TEST_CASE("a captured tree is never written to, nor are its nodes opened") {
  SysfsTree tree;
  tree.VdpaDevice("virtual/sim", "sim0");
  tree.File("sys/bus/vdpa/drivers/vhost_vdpa/bind", "");
  const HostRoot root = tree.Captured();
  CHECK(BindDriver(root, "sim0", "vhost_vdpa").error().errno_value == EROFS);
  CHECK(WriteOverride(root, "sim0", "").error().errno_value == EROFS);
  CHECK(root.OpenCharDevice("dev/vhost-vdpa-0", {1, 3}).error().errno_value == EROFS);
  CHECK(OpenByNumber(root, {1, 3}).error().errno_value == EROFS);
  CHECK(root.ReadAttribute("sys/bus/vdpa/drivers/vhost_vdpa/bind").value().empty());
}

TEST_CASE("only the device of the number that was meant is opened") {
  const HostRoot root = HostRoot::Open("/").value();
  CHECK(root.OpenCharDevice("dev/null", {1, 3}));
  CHECK(root.OpenCharDevice("dev/null", {1, 5}).error().errno_value == EBADFD);
  CHECK(root.OpenCharDevice("proc/version", {1, 3}).error().errno_value == EBADFD);
  CHECK(root.OpenCharDevice("dev/none-such", {1, 3}).error().fault == Fault::kGone);
}

TEST_CASE("a device whose driver link is gone while it still has a driver is being unbound") {
  SysfsTree tree;
  tree.VdpaDevice("virtual/sim", "sim0");
  tree.VdpaDevice("virtual/sim", "sim1");
  tree.BindVhost("virtual/sim", "sim1", 0);
  tree.VdpaDevice("virtual/sim", "sim2");
  tree.File("sys/devices/virtual/sim/sim0/uevent", "DRIVER=vhost_vdpa\n");
  tree.File("sys/devices/virtual/sim/sim1/uevent", "DRIVER=vhost_vdpa\n");
  tree.File("sys/devices/virtual/sim/sim2/uevent", "");
  const HostRoot root = tree.Live();
  CHECK(IsBeingUnbound(root, "sim0").value());
  CHECK_FALSE(IsBeingUnbound(root, "sim1").value());
  CHECK_FALSE(IsBeingUnbound(root, "sim2").value());
  CHECK(IsBeingUnbound(root, "sim3").error().fault == Fault::kGone);
}
