#include "../core/replay_channel.h"

#include <doctest/doctest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <map>

#include "../core/link_dump.h"
#include "../core/vdpa_family.h"
#include "support/kernel_bytes.h"
#include "support/scripted_channel.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

using Files = std::map<std::string, Bytes, std::less<>>;

ChannelFactory Replay(const Files& files) {
  const RecordingReader read = [files](std::string_view path) -> Result<Bytes> {
    const auto file = files.find(path);
    if (file == files.end()) {
      return std::unexpected(Error{Fault::kGone, std::string(path), ENOENT});
    }
    return file->second;
  };
  return [read]() -> Result<std::unique_ptr<NetlinkChannel>> {
    return std::make_unique<ReplayChannel>(read);
  };
}

// The configuration of vdpa0 alone: the first message of the recorded dump.
Bytes ConfigOfVdpa0() {
  const auto dump = FromHex(kConfigDump);
  return {dump.begin(), dump.begin() + HeaderOf(dump).nlmsg_len};
}

Files Recorded() {
  return {{"netlink/getfamily.bin", FromHex(kGetFamily)},
          {"netlink/mgmtdev-dump.bin", FromHex(kMgmtDevDump)},
          {"netlink/dev-dump.bin", FromHex(kDevDump)},
          {"netlink/config-vdpa0.bin", ConfigOfVdpa0()},
          {"netlink/vstats-vdpa0-0.bin", FromHex(kVstatsUnsupportedAttribute)}};
}

}  // namespace

TEST_CASE("a recording answers like the host it came from") {
  VdpaFamily family(Replay(Recorded()));
  CHECK(family.Abi(Soon())->max_attribute == 37);
  CHECK(family.ReadMgmtDevices(Soon())->size() == 4);
  CHECK(family.ReadDevices(Soon())->size() == 3);
  CHECK(family.ReadConfig("vdpa0", Soon())->mtu == 9000);
  CHECK(family.ReadVendorStats("vdpa0", 0, Soon()).error().message == "Unsupported attribute");
  CHECK(family.ReadDevices(Soon())->size() == 3);
}

TEST_CASE("one device and one management device are found in the lists") {
  VdpaFamily family(Replay(Recorded()));
  CHECK(family.ReadDevice("sim0", Soon())->mgmt_name == "vdpasim_net");
  CHECK(family.ReadMgmtDevice("pci", "0000:11:00.2", Soon())->max_vqs == 65);
  CHECK(family.ReadMgmtDevice("", "vdpasim_net", Soon())->max_vqs == 3);
  CHECK(family.ReadMgmtDevice("", "0000:11:00.2", Soon()).error().fault == Fault::kGone);
  CHECK(family.ReadDevice("nope", Soon()).error().fault == Fault::kGone);
}

TEST_CASE("a device with a file of its own is answered from it") {
  auto files = Recorded();
  files["netlink/dev-other.bin"] = GenlReply(
      77, kDevNew, Join({TextAttr(kAttrMgmtDevName, "m"), TextAttr(kAttrDevName, "other")}));
  files["netlink/dev-sim0.bin"] = Ack(ENODEV);
  VdpaFamily family(Replay(files));
  CHECK(family.ReadDevice("other", Soon())->name == "other");
  CHECK(family.ReadDevice("sim0", Soon()).error().fault == Fault::kGone);
}

TEST_CASE("what was not recorded fails as on a host") {
  VdpaFamily family(Replay(Recorded()));
  CHECK(family.ReadConfig("nope", Soon()).error().fault == Fault::kGone);
  CHECK(family.ReadConfig("sim0", Soon()).error().errno_value == EOPNOTSUPP);
  CHECK(family.ReadVendorStats("vdpa0", 1, Soon()).error().errno_value == EOPNOTSUPP);
  CHECK(family.ReadVendorStats("nope", 1, Soon()).error().fault == Fault::kGone);
}

TEST_CASE("a recording of a host without the family, and of one without devices") {
  VdpaFamily none(Replay({}));
  CHECK(none.Abi(Soon()).error().fault == Fault::kNoFamily);
  CHECK(none.ReadDevices(Soon()).error().fault == Fault::kNoFamily);
  VdpaFamily empty(Replay({{"netlink/getfamily.bin", FromHex(kGetFamily)}}));
  CHECK(empty.ReadDevices(Soon())->empty());
  CHECK(empty.ReadMgmtDevices(Soon())->empty());
  CHECK(ReadLinks(Replay({}), Soon())->links.empty());
}

TEST_CASE("a recording cannot be changed") {
  VdpaFamily family(Replay(Recorded()));
  CHECK(family.AddDevice({.name = "x", .mgmt_name = "vdpasim_net"}, Soon()).error().errno_value ==
        EROFS);
  CHECK(family.DeleteDevice("vdpa0", Soon()).error().errno_value == EROFS);
  CHECK(family.SetMac("vdpa0", {}, Soon()).error().errno_value == EROFS);
  CHECK(family.ReadDevice("vdpa0", Soon()));
}

TEST_CASE("a name never leads out of the directory or to another kind of file") {
  std::vector<std::string> asked;
  const RecordingReader read = [&asked](std::string_view path) -> Result<Bytes> {
    asked.emplace_back(path);
    if (path == "netlink/getfamily.bin") return FromHex(kGetFamily);
    if (path == "netlink/dev-dump.bin") return FromHex(kDevDump);
    return SystemError("open", ENOENT);
  };
  VdpaFamily family([&read]() -> Result<std::unique_ptr<NetlinkChannel>> {
    return std::make_unique<ReplayChannel>(read);
  });
  CHECK(family.ReadDevice("../../etc/passwd", Soon()).error().fault == Fault::kGone);
  CHECK(family.ReadConfig("a/b", Soon()).error().fault == Fault::kGone);
  CHECK(family.ReadDevice("dump", Soon()).error().fault == Fault::kGone);
  for (const auto& path : asked) {
    CHECK((path == "netlink/getfamily.bin" || path == "netlink/dev-dump.bin"));
  }
}

TEST_CASE("a recording that was cut short is an error, not a shorter list") {
  const auto whole = FromHex(kDevDump);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    auto files = Recorded();
    files["netlink/dev-dump.bin"].resize(size);
    VdpaFamily family(Replay(files));
    CHECK_FALSE(family.ReadDevices(Soon()));
  }
}

TEST_CASE("a reader's failure other than absence is handed on") {
  VdpaFamily family([]() -> Result<std::unique_ptr<NetlinkChannel>> {
    return std::make_unique<ReplayChannel>(
        [](std::string_view) -> Result<Bytes> { return SystemError("open", EIO); });
  });
  CHECK(family.Abi(Soon()).error().errno_value == EIO);
}

TEST_CASE("a long list comes in several datagrams of whole messages") {
  Bytes list;
  for (int i = 0; i < 3000; ++i) {
    const auto row = GenlReply(
        19, kDevNew,
        Join({TextAttr(kAttrMgmtDevName, "m"), TextAttr(kAttrDevName, "d" + std::to_string(i))}),
        NLM_F_MULTI);
    list.insert(list.end(), row.begin(), row.end());
  }
  const auto end = Done();
  list.insert(list.end(), end.begin(), end.end());
  REQUIRE(list.size() > 65536);
  auto files = Recorded();
  files["netlink/dev-dump.bin"] = list;
  VdpaFamily family(Replay(files));
  const auto devices = family.ReadDevices(Soon());
  REQUIRE(devices);
  CHECK(devices->size() == 3000);
  CHECK(devices->back().name == "d2999");
}

TEST_CASE("links are replayed with their own message type") {
  ifinfomsg header{};
  header.ifi_index = 4;
  const auto link =
      Message(RTM_NEWLINK, NLM_F_MULTI, Join({Raw(header), TextAttr(IFLA_IFNAME, "eth0")}));
  const auto dump = ReadLinks(Replay({{"netlink/link-dump.bin", Join({link, Done()})}}), Soon());
  REQUIRE(dump);
  REQUIRE(dump->links.size() == 1);
  CHECK(dump->links[0].ifindex == 4);
}

TEST_CASE("a name that is too long for a file goes on below a directory") {
  const std::string name(255, 'x');
  auto files = Recorded();
  files["netlink/dev-dump.bin"] = Join(
      {GenlReply(19, kDevNew, Join({TextAttr(kAttrMgmtDevName, "m"), TextAttr(kAttrDevName, name)}),
                 NLM_F_MULTI),
       Done()});
  files["netlink/config-" + std::string(200, 'x') + "/" + std::string(55, 'x') + ".bin"] =
      Ack(EBUSY);
  VdpaFamily family(Replay(files));
  CHECK(family.ReadConfig(name, Soon()).error().errno_value == EBUSY);
  CHECK(family.ReadConfig(std::string(200, 'x'), Soon()).error().fault == Fault::kGone);
}

TEST_CASE("a device may be called like the list of devices") {
  auto files = Recorded();
  files["netlink/dev-dump.bin"] =
      Join({GenlReply(19, kDevNew,
                      Join({TextAttr(kAttrMgmtDevName, "m"), TextAttr(kAttrDevName, "dump")}),
                      NLM_F_MULTI),
            Done()});
  files["netlink/config-dump.bin"] = Ack(EBUSY);
  VdpaFamily family(Replay(files));
  CHECK(family.ReadDevice("dump", Soon())->name == "dump");
  CHECK(family.ReadConfig("dump", Soon()).error().errno_value == EBUSY);
}
