#include "../core/vdpa_family.h"

#include <doctest/doctest.h>

#include "support/kernel_bytes.h"
#include "support/scripted_channel.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

Bytes Family(std::uint16_t id, std::uint32_t max_attribute, std::uint8_t last_command) {
  Bytes operations;
  for (std::uint32_t command = 2; command <= last_command; ++command) {
    const auto entry =
        Attr(static_cast<std::uint16_t>(command - 1), IntAttr(CTRL_ATTR_OP_ID, command));
    operations.insert(operations.end(), entry.begin(), entry.end());
  }
  return GenlReply(
      GENL_ID_CTRL, CTRL_CMD_NEWFAMILY,
      Join({IntAttr(CTRL_ATTR_FAMILY_ID, id), IntAttr(CTRL_ATTR_MAXATTR, max_attribute),
            Attr(CTRL_ATTR_OPS, operations)}));
}

Bytes Device(std::uint16_t family, std::string_view name, std::uint16_t flags = 0) {
  return GenlReply(family, kDevNew,
                   Join({TextAttr(kAttrMgmtDevName, "m"), TextAttr(kAttrDevName, name)}), flags);
}

struct Host {
  std::shared_ptr<Script> script = std::make_shared<Script>();
  VdpaFamily family{FactoryOf(script)};

  static Host Current() {
    Host host;
    host.script->Answer({{FromHex(kGetFamily)}});
    return host;
  }
  static Host WithFamily(std::uint32_t max_attribute, std::uint8_t last_command) {
    Host host;
    host.script->Answer({{Family(19, max_attribute, last_command)}});
    return host;
  }
};

const AddRequest kPlainAdd{.name = "d", .mgmt_bus = "pci", .mgmt_name = "0000:11:00.1"};

}  // namespace

TEST_CASE("the family is resolved once, and asked with the id it has") {
  auto host = Host::Current();
  host.script->Answer({{FromHex(kDevOne)}}).Answer({{FromHex(kDevOne)}});
  const auto device = host.family.ReadDevice("vdpa0", Soon());
  REQUIRE(device);
  CHECK(device->mgmt_name == "0000:11:00.1");
  REQUIRE(host.family.ReadDevice("vdpa0", Soon()));
  CHECK(host.script->opened == 1);
  REQUIRE(host.script->requests.size() == 3);
  const auto& request = host.script->requests[1];
  CHECK(HeaderOf(request).nlmsg_type == 19);
  CHECK(HeaderOf(request).nlmsg_flags == NLM_F_REQUEST);
  CHECK(CommandOf(request) == kDevGet);
  CHECK(Bytes(request.begin() + 20, request.end()) == BuildDeviceName("vdpa0"));
}

TEST_CASE("dumps arrive in parts and come out as one list") {
  auto host = Host::Current();
  host.script->Answer({{Join({Device(19, "a", NLM_F_MULTI), Device(19, "b", NLM_F_MULTI)})},
                       {Device(19, "c", NLM_F_MULTI)},
                       {Done()}});
  const auto devices = host.family.ReadDevices(Soon());
  REQUIRE(devices);
  CHECK(devices->size() == 3);
  CHECK(HeaderOf(host.script->requests.back()).nlmsg_flags == (NLM_F_REQUEST | NLM_F_DUMP));
  host.script->Answer({{FromHex(kMgmtDevDump)}});
  CHECK(host.family.ReadMgmtDevices(Soon())->size() == 4);
}

TEST_CASE("a device that is not there is gone, in the kernel's words") {
  auto host = Host::Current();
  host.script->Answer({{FromHex(kDevMissing)}});
  CHECK(host.family.ReadDevice("nope", Soon()).error() ==
        Error{Fault::kGone, "DEV_GET", ENODEV, "vdpa: device not found"});
  host.script->Answer({{Ack(ENODEV)}});
  CHECK(host.family.ReadMgmtDevice("pci", "x", Soon()).error().fault == Fault::kGone);
  host.script->Answer({{Ack(ENODEV)}});
  CHECK(host.family.ReadConfig("x", Soon()).error().fault == Fault::kGone);
  host.script->Answer({{Ack(ENODEV)}});
  CHECK(host.family.DeleteDevice("x", Soon()).error().fault == Fault::kGone);
  host.script->Answer({{Ack(ENODEV)}});
  CHECK(host.family.AddDevice(kPlainAdd, Soon()).error().fault == Fault::kSystem);
  CHECK(host.script->opened == 1);
}

TEST_CASE("after a timeout or a loss the next call works on a new channel") {
  auto host = Host::Current();
  Fault fault = Fault::kTimeout;
  SUBCASE("silence") { host.script->Answer({}); }
  SUBCASE("a dump without its end") { host.script->Answer({{Device(19, "a", NLM_F_MULTI)}}); }
  SUBCASE("overflow") {
    fault = Fault::kLost;
    host.script->Answer({{.bytes = {}, .error = Error{Fault::kLost, "receive", ENOBUFS}}});
  }
  SUBCASE("truncation") {
    fault = Fault::kLost;
    host.script->Answer({{.bytes = Device(19, "a"), .truncated = true}});
  }
  SUBCASE("rubbish") {
    fault = Fault::kMalformed;
    host.script->Answer({{GenlReply(19, kDevNew, Bytes(3))}});
  }
  const auto failed = host.family.ReadDevices(Soon());
  REQUIRE_FALSE(failed);
  CHECK(failed.error().fault == fault);
  CHECK(host.script->opened == 1);
  host.script->Answer({{Family(33, 37, 8)}}).Answer({{Device(33, "d")}});
  CHECK(host.family.ReadDevice("d", Soon()));
  CHECK(host.script->opened == 2);
}

TEST_CASE("a family that went and came back with another id is found again") {
  auto host = Host::Current();
  host.script->Answer({{Ack(ENOENT)}}).Answer({{Family(20, 37, 8)}}).Answer({{Device(20, "d")}});
  const auto device = host.family.ReadDevice("d", Soon());
  REQUIRE(device);
  CHECK(HeaderOf(host.script->requests.back()).nlmsg_type == 20);
  CHECK(host.script->opened == 1);
  CHECK(host.family.Abi(Soon())->family_id == 20);
}

TEST_CASE("a family that stays away is reported, and looked for again by the next call") {
  auto host = Host::Current();
  host.script->Answer({{Ack(ENOENT)}}).Answer({{Ack(ENOENT)}});
  CHECK(host.family.ReadDevices(Soon()).error().fault == Fault::kNoFamily);
  host.script->Answer({{Ack(ENOENT)}});
  CHECK(host.family.ReadDevices(Soon()).error().fault == Fault::kNoFamily);
  host.script->Answer({{Family(40, 37, 8)}}).Answer({{Done()}});
  const auto devices = host.family.ReadDevices(Soon());
  REQUIRE(devices);
  CHECK(devices->empty());
}

TEST_CASE("a driver's own ENOENT is not asked twice") {
  auto host = Host::Current();
  host.script->Answer({{Ack(ENOENT)}}).Answer({{FromHex(kGetFamily)}});
  const auto done = host.family.AddDevice(kPlainAdd, Soon());
  REQUIRE_FALSE(done);
  CHECK(done.error().fault == Fault::kSystem);
  CHECK(done.error().errno_value == ENOENT);
  CHECK(host.script->requests.size() == 3);
}

TEST_CASE("what this kernel cannot do is refused without asking") {
  SUBCASE("commands") {
    auto host = Host::WithFamily(9, 5);
    for (const auto& error : {host.family.ReadConfig("d", Soon()).error(),
                              host.family.ReadVendorStats("d", 0, Soon()).error(),
                              host.family.SetMac("d", {}, Soon()).error()}) {
      CHECK(error.errno_value == EOPNOTSUPP);
      CHECK(error.message.contains("no " + error.op));
    }
    CHECK(host.script->requests.size() == 1);
  }
  SUBCASE("attributes that it would ignore") {
    struct Case {
      std::uint32_t max_attribute;
      AddRequest request;
      bool asked;
    };
    AddRequest mac = kPlainAdd;
    mac.mac = MacAddress{2, 0, 0, 0, 0, 1};
    AddRequest mtu = kPlainAdd;
    mtu.mtu = 1500;
    AddRequest pairs = kPlainAdd;
    pairs.max_vq_pairs = 4;
    AddRequest features = kPlainAdd;
    features.features = 1;
    for (const auto& [max_attribute, request, asked] : std::vector<Case>{{9, kPlainAdd, true},
                                                                         {9, mac, false},
                                                                         {9, mtu, false},
                                                                         {14, mac, true},
                                                                         {14, mtu, true},
                                                                         {14, pairs, false},
                                                                         {17, pairs, true},
                                                                         {20, features, false},
                                                                         {21, features, true},
                                                                         {22, features, true},
                                                                         {37, features, true}}) {
      CAPTURE(max_attribute);
      auto host = Host::WithFamily(max_attribute, 5);
      host.script->Answer({{Ack(0)}});
      const auto done = host.family.AddDevice(request, Soon());
      CHECK(done.has_value() == asked);
      CHECK(host.script->requests.size() == (asked ? 2 : 1));
      if (!done) CHECK(done.error().errno_value == EOPNOTSUPP);
      if (done) {
        const auto& sent = host.script->requests.back();
        CHECK(HeaderOf(sent).nlmsg_flags == (NLM_F_REQUEST | NLM_F_ACK));
        CHECK(*ParseAdd(GenlAttributesOf(sent)) == request);
      }
    }
  }
}

TEST_CASE("the refusal of a creation keeps errno and words") {
  auto host = Host::Current();
  host.script->Answer({{FromHex(kAddUnsupportedAttribute)}});
  const auto done = host.family.AddDevice(kPlainAdd, Soon());
  REQUIRE_FALSE(done);
  CHECK(done.error() == Error{Fault::kSystem, "DEV_NEW", EOPNOTSUPP,
                              "vdpa: Some provided attributes are not supported: 0x1000"});
  host.script->Answer({{Ack(EPERM)}});
  CHECK(host.family.DeleteDevice("d", Soon()).error() == Error{Fault::kSystem, "DEV_DEL", EPERM});
}

TEST_CASE("a changed MAC address that the kernel acknowledges with words was not changed") {
  auto host = Host::Current();
  host.script->Answer({{Ack(0)}});
  CHECK(host.family.SetMac("d", {2, 0, 0, 0, 0, 1}, Soon()));
  host.script->Answer({{FromHex(kSetMacWords)}});
  const auto done = host.family.SetMac("blk0", {2, 0, 0, 0, 0, 1}, Soon());
  REQUIRE_FALSE(done);
  CHECK(done.error() ==
        Error{Fault::kSystem, "DEV_ATTR_SET", EOPNOTSUPP, "vdpa: blk0 device not supported"});
}

TEST_CASE("a configuration is read by the ABI of the kernel that answers") {
  auto host = Host::WithFamily(22, 7);
  host.script->Answer({{GenlReply(
      19, kDevConfigGet, Join({TextAttr(kAttrDevName, "d"), IntAttr(21, std::uint64_t{77})}))}});
  CHECK(host.family.ReadConfig("d", Soon())->device_features == 77);
}

TEST_CASE("vendor statistics") {
  auto host = Host::Current();
  host.script->Answer({{GenlReply(
      19, kDevVstatsGet,
      Join({TextAttr(kAttrDevName, "d"), IntAttr(kAttrQueueIndex, 3U),
            TextAttr(kAttrVendorAttrName, "n"), IntAttr(kAttrVendorAttrValue, 9UL)}))}});
  const auto stats = host.family.ReadVendorStats("d", 3, Soon());
  REQUIRE(stats);
  CHECK(stats->counters.front().second == 9);
  host.script->Answer({{FromHex(kVstatsUnsupportedAttribute)}});
  CHECK(host.family.ReadVendorStats("d", 3, Soon()).error() ==
        Error{Fault::kSystem, "DEV_VSTATS_GET", EINVAL, "Unsupported attribute", 32});
}

TEST_CASE("names that would reach the kernel as others are refused without asking") {
  Host host;
  const std::string longest(255, 'x');
  for (const std::string& name : {std::string(), std::string("a\0b", 3), longest + "x"}) {
    CHECK(host.family.DeleteDevice(name, Soon()).error().errno_value == EINVAL);
    CHECK(host.family.ReadDevice(name, Soon()).error().errno_value == EINVAL);
    CHECK(host.family.ReadMgmtDevice("pci", name, Soon()).error().errno_value == EINVAL);
    AddRequest request = kPlainAdd;
    request.mgmt_name = name;
    CHECK(host.family.AddDevice(request, Soon()).error().errno_value == EINVAL);
  }
  CHECK(host.script->opened == 0);
  host.script->Answer({{FromHex(kGetFamily)}}).Answer({{Device(19, longest)}});
  CHECK(host.family.ReadDevice(longest, Soon())->name == longest);
}

TEST_CASE("a reply of another type, and none at all, are malformed") {
  auto host = Host::Current();
  SUBCASE("another family") { host.script->Answer({{Device(25, "d")}}); }
  SUBCASE("no generic header") { host.script->Answer({{Message(19, 0, Bytes(2))}}); }
  SUBCASE("an acknowledgement only") { host.script->Answer({{Ack(0)}}); }
  CHECK(host.family.ReadDevice("d", Soon()).error().fault == Fault::kMalformed);
}

TEST_CASE("a channel that cannot be opened is tried again by the next call") {
  int attempts = 0;
  VdpaFamily family([&attempts]() -> Result<std::unique_ptr<NetlinkChannel>> {
    ++attempts;
    return SystemError("socket AF_NETLINK", EMFILE);
  });
  CHECK(family.Abi(Soon()).error().errno_value == EMFILE);
  CHECK(family.ReadDevices(Soon()).error().errno_value == EMFILE);
  CHECK(attempts == 2);
}
