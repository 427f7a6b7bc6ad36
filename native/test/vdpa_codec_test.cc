#include "../core/vdpa_codec.h"

#include <doctest/doctest.h>

#include <random>

#include "../core/genetlink.h"
#include "../core/vdpa_abi.h"
#include "support/bytes.h"
#include "support/kernel_bytes.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

constexpr VdpaAbi kNow{19, 37, 0x1fe};
constexpr VdpaAbi kLinux61{19, 22, 0xfe};
constexpr VdpaAbi kLinux62{19, 21, 0xfe};

template <typename Record, typename Parse>
std::vector<Record> ParseAll(const Bytes& datagram, const Parse& parse) {
  std::vector<Record> rows;
  MessageReader reader(datagram);
  while (auto message = reader.Next()) {
    if (message->type < NLMSG_MIN_TYPE) continue;
    auto row = parse(message->payload.subspan(GENL_HDRLEN));
    REQUIRE(row);
    rows.push_back(*row);
  }
  return rows;
}

auto ParseConfigNow(std::span<const std::byte> attributes) {
  return ParseDeviceConfig(attributes, kNow);
}

// Every proper beginning is refused or is the record with members missing; the parser reads
// nothing beyond (the span is the whole of an exact allocation under ASan).
template <typename Parse>
void CutEverywhere(const Bytes& attributes, const Parse& parse) {
  const auto whole = parse(std::span<const std::byte>(attributes));
  REQUIRE(whole);
  for (std::size_t size = 0; size < attributes.size(); ++size) {
    const Bytes cut(attributes.begin(), attributes.begin() + static_cast<long>(size));
    const auto parsed = parse(std::span<const std::byte>(cut));
    if (parsed) {
      CHECK(parsed->name == whole->name);
    } else {
      CHECK(parsed.error().fault == Fault::kMalformed);
    }
  }
}

Bytes AttributesOf(std::string_view hex) {
  const auto message = FromHex(hex);
  const auto attributes = GenlAttributesOf(std::span(message).first(HeaderOf(message).nlmsg_len));
  return {attributes.begin(), attributes.end()};
}

}  // namespace

TEST_CASE("the family's reply of Linux 6.12") {
  const auto abi = ParseFamily(AttributesOf(kGetFamily));
  REQUIRE(abi);
  CHECK(*abi == VdpaAbi{19, 37, 0x1fc});
  CHECK_FALSE(HasCommand(*abi, kMgmtDevNew));
  CHECK(HasCommand(*abi, kDevAttrSet));
  CHECK(HasAttribute(*abi, kAttrBlkFlush));
}

TEST_CASE("a family's reply without what matters is refused") {
  CHECK_FALSE(ParseFamily({}));
  CHECK_FALSE(ParseFamily(IntAttr(CTRL_ATTR_FAMILY_ID, std::uint16_t{19})));
  const auto good =
      Join({IntAttr(CTRL_ATTR_FAMILY_ID, std::uint16_t{19}), IntAttr(CTRL_ATTR_MAXATTR, 9U)});
  REQUIRE(ParseFamily(good));
  const auto beyond = Attr(CTRL_ATTR_OPS, Attr(1, IntAttr(CTRL_ATTR_OP_ID, 64U)));
  CHECK(ParseFamily(Join({good, beyond}))->commands == 0);
  CHECK_FALSE(ParseFamily(Join({good, Attr(CTRL_ATTR_OPS, Attr(1, {}))})));
  CHECK_FALSE(ParseFamily(Join({good, Attr(CTRL_ATTR_OPS, Bytes(3))})));
}

TEST_CASE("management devices of Linux 6.12, with and without a bus") {
  const auto rows = ParseAll<MgmtDevice>(FromHex(kMgmtDevDump), ParseMgmtDevice);
  REQUIRE(rows.size() == 4);
  CHECK(rows[0] == MgmtDevice{"", "vdpasim_net", 2, 3, 0x308830028});
  CHECK(rows[1] == MgmtDevice{"", "vdpasim_blk", 4, 0, 0});
  CHECK(rows[2] == MgmtDevice{"pci", "0000:11:00.1", 2, 65, 0x300cb982b});
}

TEST_CASE("devices of Linux 6.12") {
  const auto rows = ParseAll<VdpaDevice>(FromHex(kDevDump), ParseVdpaDevice);
  REQUIRE(rows.size() == 3);
  CHECK(rows[0] == VdpaDevice{"vdpa0", "pci", "0000:11:00.1", 1, 0x15b3, 9, 256, 1});
  CHECK(rows[1] == VdpaDevice{"sim0", "", "vdpasim_net", 1, 0, 3, 256, 1});
  CHECK(rows[2] == VdpaDevice{"blk0", "", "vdpasim_blk", 2, 0, 1, 256, 1});
}

TEST_CASE("a device of Linux 5.12, which did not know the smallest queue size") {
  const auto device =
      ParseVdpaDevice(Join({TextAttr(kAttrMgmtDevName, "m"), TextAttr(kAttrDevName, "d")}));
  REQUIRE(device);
  CHECK_FALSE(device->min_vq_size);
}

TEST_CASE("configurations of Linux 6.12: net and block") {
  const auto rows = ParseAll<DeviceConfig>(FromHex(kConfigDump), ParseConfigNow);
  REQUIRE(rows.size() == 3);
  DeviceConfig net{.name = "vdpa0", .device_id = 1};
  net.device_features = 0x300cb182b;
  net.mac = MacAddress{0, 0x11, 0x22, 0x33, 0x44, 0x55};
  net.net_status = 1;
  net.max_vq_pairs = 4;
  net.mtu = 9000;
  CHECK(rows[0] == net);
  DeviceConfig block{.name = "blk0", .device_id = 2};
  block.device_features = 0x308007646;
  block.capacity_sectors = 262144;
  block.size_max = 4096;
  block.block_size = 512;
  block.seg_max = 32;
  block.num_queues = 1;
  block.physical_block_exp = 0;
  block.alignment_offset = 0;
  block.min_io_size = 1;
  block.opt_io_size = 1;
  block.max_discard_sectors = 0xffffffff;
  block.max_discard_seg = 1;
  block.discard_sector_alignment = 512;
  block.max_write_zeroes_sectors = 0xffffffff;
  block.max_write_zeroes_seg = 1;
  block.read_only = 0;
  block.flush = 1;
  CHECK(rows[2] == block);
}

TEST_CASE("attribute 21 is what this kernel's ABI makes of it") {
  const auto bytes =
      Join({TextAttr(kAttrDevName, "d"), IntAttr(kAttrBlkCapacity, 0x8000000000000001UL)});
  const auto linux61 = ParseDeviceConfig(bytes, kLinux61);
  CHECK(linux61->device_features == 0x8000000000000001UL);
  CHECK_FALSE(linux61->capacity_sectors);
  const auto linux62 = ParseDeviceConfig(bytes, kLinux62);
  CHECK_FALSE(linux62->device_features);
  CHECK_FALSE(linux62->capacity_sectors);
  const auto now = ParseDeviceConfig(bytes, kNow);
  CHECK_FALSE(now->device_features);
  CHECK(now->capacity_sectors == 0x8000000000000001UL);
}

TEST_CASE(
    "every attribute of a configuration is refused in a wrong size, and alone is one member") {
  constexpr std::array<std::pair<AttributeId, std::size_t>, 22> kSizes = {{
      {kAttrDevId, 4},
      {kAttrNetMac, 6},
      {kAttrNetStatus, 2},
      {kAttrNetMaxVqPairs, 2},
      {kAttrNetMtu, 2},
      {kAttrNegotiatedFeatures, 8},
      {kAttrDevFeatures, 8},
      {kAttrBlkCapacity, 8},
      {kAttrBlkSizeMax, 4},
      {kAttrBlkBlockSize, 4},
      {kAttrBlkSegMax, 4},
      {kAttrBlkNumQueues, 2},
      {kAttrBlkPhysicalBlockExp, 1},
      {kAttrBlkAlignmentOffset, 1},
      {kAttrBlkMinIoSize, 2},
      {kAttrBlkOptIoSize, 4},
      {kAttrBlkMaxDiscardSectors, 4},
      {kAttrBlkMaxDiscardSeg, 4},
      {kAttrBlkDiscardSectorAlignment, 4},
      {kAttrBlkMaxWriteZeroesSectors, 4},
      {kAttrBlkMaxWriteZeroesSeg, 4},
      {kAttrBlkReadOnly, 1},
  }};
  const auto name = TextAttr(kAttrDevName, "d");
  const DeviceConfig bare{.name = "d"};
  for (const auto& [attribute, right] : kSizes) {
    for (std::size_t size = 0; size <= 9; ++size) {
      CAPTURE(attribute);
      CAPTURE(size);
      const auto parsed =
          ParseConfigNow(Join({name, Attr(attribute, Bytes(size, std::byte{0xa5}))}));
      REQUIRE(parsed.has_value() == (size == right));
      if (parsed) CHECK_FALSE(*parsed == bare);
    }
  }
}

TEST_CASE("values beyond 2^53 and padding before them") {
  const auto parsed = ParseConfigNow(Join(
      {TextAttr(kAttrDevName, "d"), Attr(0, {}), IntAttr(kAttrDevFeatures, 0xffffffffffffffffUL),
       Attr(0, {}), IntAttr(kAttrNegotiatedFeatures, (1UL << 53) + 1)}));
  REQUIRE(parsed);
  CHECK(parsed->device_features == 0xffffffffffffffffUL);
  CHECK(parsed->negotiated_features == (1UL << 53) + 1);
}

TEST_CASE("attributes of a newer kernel are passed over") {
  const auto parsed =
      ParseConfigNow(Join({TextAttr(kAttrDevName, "d"), Attr(37, Bytes(12)), Attr(500, {})}));
  REQUIRE(parsed);
  CHECK(*parsed == DeviceConfig{.name = "d"});
}

TEST_CASE("vendor counters are pairs in their order") {
  const auto head =
      Join({TextAttr(kAttrDevName, "d"), IntAttr(kAttrDevId, 1U),
            IntAttr(kAttrNegotiatedFeatures, 0x1UL << 63),
            IntAttr(kAttrNetMaxVqPairs, std::uint16_t{2}), IntAttr(kAttrQueueIndex, 5U)});
  const auto name = TextAttr(kAttrVendorAttrName, "received_desc");
  const auto value = IntAttr(kAttrVendorAttrValue, ~0UL);
  const auto second =
      Join({TextAttr(kAttrVendorAttrName, "completed_desc"), IntAttr(kAttrVendorAttrValue, 3UL)});
  const auto stats = ParseVendorStats(Join({head, name, value, second}));
  REQUIRE(stats);
  CHECK(stats->queue_index == 5);
  CHECK(stats->max_vq_pairs == 2);
  CHECK(stats->negotiated_features == 0x1UL << 63);
  using Counters = std::vector<std::pair<std::string, std::uint64_t>>;
  CHECK(stats->counters == Counters{{"received_desc", ~0UL}, {"completed_desc", 3}});
  CHECK(ParseVendorStats(head)->counters.empty());
  CHECK_FALSE(ParseVendorStats(Join({head, name})));
  CHECK_FALSE(ParseVendorStats(Join({head, value})));
  CHECK_FALSE(ParseVendorStats(Join({head, name, name, value})));
  CHECK_FALSE(ParseVendorStats(Join({head, name, value, value})));
  CHECK_FALSE(ParseVendorStats(Join({head, name, IntAttr(kAttrVendorAttrValue, 3U)})));
  CutEverywhere(Join({head, name, value, second}), ParseVendorStats);
}

TEST_CASE("vendor counters of Linux 6.12") {
  const auto stats = ParseVendorStats(AttributesOf(kVstats));
  REQUIRE(stats);
  CHECK(
      *stats ==
      VendorStats{"vf0", 1, 1, 4, 0x300cb182b, {{"received_desc", 1001}, {"completed_desc", 901}}});
}

TEST_CASE("messages cut short at every byte") {
  CutEverywhere(AttributesOf(kMgmtDevDump), ParseMgmtDevice);
  CutEverywhere(AttributesOf(kDevDump), ParseVdpaDevice);
  CutEverywhere(AttributesOf(kConfigDump), ParseConfigNow);
  const auto whole = AttributesOf(kGetFamily);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
    CHECK_FALSE(ParseFamily(cut) == ParseFamily(whole));
  }
}

TEST_CASE("a request read back is the request, whatever was in it") {
  std::mt19937 random(20240607);  // the same walk every time
  const auto number = [&random] { return random(); };
  for (int i = 0; i < 2000; ++i) {
    AddRequest request;
    request.name = std::string(1 + number() % 255, static_cast<char>('a' + number() % 26));
    request.mgmt_name = std::string(1 + number() % 255, static_cast<char>('a' + number() % 26));
    if (number() % 2 == 0) request.mgmt_bus = "pci";
    if (number() % 2 == 0) request.mac = MacAddress{2, 0, 0, 0, 0, static_cast<std::uint8_t>(i)};
    if (number() % 2 == 0) request.mtu = static_cast<std::uint16_t>(number());
    if (number() % 2 == 0) request.max_vq_pairs = static_cast<std::uint16_t>(number());
    if (number() % 2 == 0) request.features = std::uint64_t{number()} << 32 | number();
    const auto back = ParseAdd(BuildAdd(request));
    REQUIRE(back);
    CHECK(*back == request);
  }
}

TEST_CASE("requests are what the kernel expects, always with the NUL") {
  CHECK(BuildDeviceName("vdpa0") == FromHex("0a0004007664706130000000"));
  CHECK(BuildMgmtDeviceName("", "m") == TextAttr(kAttrMgmtDevName, "m"));
  CHECK(BuildMgmtDeviceName("pci", "m") ==
        Join({TextAttr(kAttrMgmtDevBusName, "pci"), TextAttr(kAttrMgmtDevName, "m")}));
  CHECK(BuildVendorStatsRequest("d", 7) ==
        Join({TextAttr(kAttrDevName, "d"), IntAttr(kAttrQueueIndex, 7U)}));
  CHECK(BuildSetMac("d", {2, 0, 0, 0, 0, 1}) ==
        Join({TextAttr(kAttrDevName, "d"), Attr(kAttrNetMac, FromHex("020000000001"))}));
}
