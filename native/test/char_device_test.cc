#include "core/char_device.h"

#include <doctest/doctest.h>

#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::SysfsTree;
using Kind = DeviceLocation::Kind;
using State = CharDeviceState;

namespace {

const std::string kPf = "pci0000:10/0000:10:00.0/0000:11:00.0";
const std::string kVf1 = "pci0000:10/0000:10:00.0/0000:11:00.1";
const std::string kVf2 = "pci0000:10/0000:10:00.0/0000:11:00.2";
const DeviceLocation kAtVf1{Kind::kPci, "0000:11:00.1"};

struct Host : SysfsTree {
  Host() {
    PhysicalFunction({.num_vfs = 3});
    VdpaDevice(kVf1, "vdpa0");
    BindVhost(kVf1, "vdpa0", 0);
  }
  CharDeviceAnswer Resolve(const DeviceLocation& location,
                           const std::optional<CharDeviceHint>& hint = std::nullopt) const {
    return ResolveCharDevice(Captured(), location, hint).value();
  }
};

}  // namespace

TEST_CASE("a device is found by its place, with and without a hint") {
  const Host host;
  for (const bool hinted : {false, true}) {
    CAPTURE(hinted);
    const auto answer = host.Resolve(
        kAtVf1, hinted ? std::optional(CharDeviceHint{"vdpa0", {250, 0}}) : std::nullopt);
    CHECK(answer.state == State::kOk);
    CHECK(answer.vdpa_name == "vdpa0");
    CHECK(answer.driver == "vhost_vdpa");
    CHECK(answer.char_device == CharDevice{"vhost-vdpa-0", 250, 0, NodeState::kThere});
  }
}

TEST_CASE("a recycled minor is not believed") {
  Host host;
  const CharDeviceHint hint{"vdpa0", {250, 0}};
  host.UnbindVhost(kVf1, "vdpa0", 0);
  host.VdpaDevice(kVf2, "other");
  host.BindVhost(kVf2, "other", 0);
  CHECK(host.Resolve(kAtVf1, hint).state == State::kNotBound);
  host.BindVhost(kVf1, "vdpa0", 1);
  CHECK(host.Resolve(kAtVf1, hint).char_device->name == "vhost-vdpa-1");
  // The same minor and the same name, but at another place.
  host.UnbindVhost(kVf1, "vdpa0", 1);
  host.RemoveVdpaDevice(kVf1, "vdpa0");
  host.RemoveVdpaDevice(kVf2, "other");
  host.VdpaDevice(kVf2, "vdpa0");
  host.BindVhost(kVf2, "vdpa0", 0);
  CHECK(host.Resolve(kAtVf1, hint).state == State::kNoVdpaDevice);
  CHECK(host.Resolve({Kind::kPci, "0000:11:00.2"}, hint).state == State::kOk);
}

TEST_CASE("a device that was made again under another name is found") {
  Host host;
  host.UnbindVhost(kVf1, "vdpa0", 0);
  host.RemoveVdpaDevice(kVf1, "vdpa0");
  host.VdpaDevice(kVf1, "vdpa9");
  host.BindVhost(kVf1, "vdpa9", 0);
  const auto answer = host.Resolve(kAtVf1, CharDeviceHint{"vdpa0", {250, 0}});
  CHECK(answer.state == State::kOk);
  CHECK(answer.vdpa_name == "vdpa9");
}

TEST_CASE("each way of having no char device has its own answer") {
  Host host;
  CHECK(host.Resolve({Kind::kPci, "0000:99:00.1"}).state == State::kNoParent);
  CHECK(host.Resolve({Kind::kAuxiliary, "mlx5_core.sf.4"}).state == State::kNoParent);
  CHECK(host.Resolve({Kind::kPci, "0000:11:00.2"}).state == State::kNoVdpaDevice);
  CHECK(host.Resolve({Kind::kSoftware, "sim0"}).state == State::kNoVdpaDevice);
  SUBCASE("unbound") {
    host.UnbindVhost(kVf1, "vdpa0", 0);
    const auto answer = host.Resolve(kAtVf1, CharDeviceHint{"vdpa0", {250, 0}});
    CHECK(answer.state == State::kNotBound);
    CHECK(answer.vdpa_name == "vdpa0");
    CHECK(answer.driver.empty());
    host.BindVirtio(kVf1, "vdpa0");
    CHECK(host.Resolve(kAtVf1).state == State::kNotBound);
    CHECK(host.Resolve(kAtVf1).driver == "virtio_vdpa");
  }
  SUBCASE("no node") {
    host.Remove("dev/vhost-vdpa-0");
    for (const auto& hint :
         {std::optional<CharDeviceHint>(), std::optional(CharDeviceHint{"vdpa0", {250, 0}})}) {
      const auto answer = host.Resolve(kAtVf1, hint);
      CHECK(answer.state == State::kNodeMissing);
      CHECK(answer.char_device == CharDevice{"vhost-vdpa-0", 250, 0, NodeState::kMissing});
    }
  }
  SUBCASE("a node that is no such device, on a live root") {
    const auto answer = ResolveCharDevice(host.Live(), kAtVf1, std::nullopt).value();
    CHECK(answer.state == State::kNodeMismatch);
    CHECK(answer.char_device->node == NodeState::kMismatch);
  }
  SUBCASE("a node with another number, on a live root") {
    host.Remove("dev/vhost-vdpa-0");
    host.Link("dev/vhost-vdpa-0", "/dev/null");
    CHECK(ResolveCharDevice(host.Live(), kAtVf1, std::nullopt)->state == State::kNodeMismatch);
  }
}

TEST_CASE("a node with the device's number is the device, on a live root") {
  Host host;
  host.UnbindVhost(kVf1, "vdpa0", 0);
  // The numbers of /dev/null, since a test cannot make nodes.
  host.File("sys/devices/" + kVf1 + "/vdpa0/vhost-vdpa-3/dev", "1:3\n");
  host.Link("sys/dev/char/1:3", "../../devices/" + kVf1 + "/vdpa0/vhost-vdpa-3");
  host.Link("dev/vhost-vdpa-3", "/dev/null");
  for (const auto& hint :
       {std::optional<CharDeviceHint>(), std::optional(CharDeviceHint{"vdpa0", {1, 3}})}) {
    CHECK(ResolveCharDevice(host.Live(), kAtVf1, hint)->state == State::kOk);
  }
}

TEST_CASE("a software device is found by its name, and only without hardware above it") {
  Host host;
  host.VdpaDevice("", "sim0");
  host.BindVhost("", "sim0", 1);
  host.VdpaDevice("virtual/vduse/d0", "d0");
  host.BindVhost("virtual/vduse/d0", "d0", 2);
  CHECK(host.Resolve({Kind::kSoftware, "sim0"}).char_device->minor == 1);
  CHECK(host.Resolve({Kind::kSoftware, "sim0"}, CharDeviceHint{"sim0", {250, 1}}).state ==
        State::kOk);
  CHECK(host.Resolve({Kind::kSoftware, "d0"}).char_device->minor == 2);
  CHECK(host.Resolve({Kind::kSoftware, "vdpa0"}).state == State::kNoVdpaDevice);
  CHECK(host.Resolve({Kind::kSoftware, "vdpa0"}, CharDeviceHint{"vdpa0", {250, 0}}).state ==
        State::kNoVdpaDevice);
}

TEST_CASE("an SF's device belongs to the SF, not to its PF") {
  Host host;
  const std::string sf = kPf + "/mlx5_core.sf.4";
  host.VdpaDevice(sf, "sfdev");
  host.BindVhost(sf, "sfdev", 5);
  host.Link("sys/bus/auxiliary/devices/mlx5_core.sf.4", "../../../devices/" + sf);
  const CharDeviceHint hint{"sfdev", {250, 5}};
  CHECK(host.Resolve({Kind::kAuxiliary, "mlx5_core.sf.4"}).char_device->minor == 5);
  CHECK(host.Resolve({Kind::kAuxiliary, "mlx5_core.sf.4"}, hint).state == State::kOk);
  CHECK(host.Resolve({Kind::kPci, "0000:11:00.0"}).state == State::kNoVdpaDevice);
  CHECK(host.Resolve({Kind::kPci, "0000:11:00.0"}, hint).state == State::kNoVdpaDevice);
}

TEST_CASE("a device below a driver's own auxiliary device belongs to the function") {
  Host host;
  const std::string parent = kVf2 + "/pds_core.vDPA.1";
  host.VdpaDevice(parent, "pds0");
  host.BindVhost(parent, "pds0", 6);
  const DeviceLocation location{Kind::kPci, "0000:11:00.2"};
  CHECK(host.Resolve(location).char_device->minor == 6);
  CHECK(host.Resolve(location, CharDeviceHint{"pds0", {250, 6}}).state == State::kOk);
}

TEST_CASE("of two devices at one place the one that was meant is chosen, else none") {
  Host host;
  host.VdpaDevice(kVf1, "another");
  host.BindVhost(kVf1, "another", 8);
  for (const auto& hint :
       {std::optional<CharDeviceHint>(), std::optional(CharDeviceHint{"gone", {250, 0}})}) {
    const auto answer = host.Resolve(kAtVf1, hint);
    CHECK(answer.state == State::kAmbiguous);
    CHECK(answer.vdpa_name == "another, vdpa0");
    CHECK_FALSE(answer.char_device);
  }
  for (const std::uint32_t minor_number : {0U, 99U}) {
    const auto answer = host.Resolve(kAtVf1, CharDeviceHint{"vdpa0", {250, minor_number}});
    CHECK(answer.state == State::kOk);
    CHECK(answer.vdpa_name == "vdpa0");
  }
}

TEST_CASE("a device that is being bound has no char device yet") {
  Host host;
  host.Remove("sys/devices/" + kVf1 + "/vdpa0/vhost-vdpa-0");
  host.Remove("sys/dev/char/250:0");
  const auto answer = host.Resolve(kAtVf1);
  CHECK(answer.state == State::kNoCharDevice);
  CHECK(answer.vdpa_name == "vdpa0");
  CHECK(answer.driver == "vhost_vdpa");
  CHECK_FALSE(answer.char_device);
}

TEST_CASE("a device on an SF is also found by its own name") {
  Host host;
  const std::string sf = kPf + "/mlx5_core.sf.4";
  host.VdpaDevice(sf, "sfdev");
  host.BindVhost(sf, "sfdev", 5);
  CHECK(host.Resolve({Kind::kSoftware, "sfdev"}).char_device->minor == 5);
  CHECK(host.Resolve({Kind::kSoftware, "sfdev"}, CharDeviceHint{"sfdev", {250, 5}}).state ==
        State::kOk);
}

TEST_CASE("names that could climb out of a directory are refused") {
  const Host host;
  for (const DeviceLocation& location :
       {DeviceLocation{Kind::kPci, "../../x"}, DeviceLocation{Kind::kPci, ""},
        DeviceLocation{Kind::kAuxiliary, ".."}, DeviceLocation{Kind::kSoftware, "a/b"},
        DeviceLocation{Kind::kSoftware, std::string("a\0b", 3)},
        DeviceLocation{Kind::kSoftware, std::string(256, 'x')}}) {
    CAPTURE(location.name);
    CHECK(ResolveCharDevice(host.Captured(), location, std::nullopt).error().fault ==
          Fault::kMalformed);
  }
}
