// A recorded host: the input is every file of the recording but the family's, and all is asked.
#include "core/link_dump.h"
#include "core/netlink_message.h"
#include "core/replay_channel.h"
#include "core/vdpa_family.h"

namespace {

std::vector<std::byte> FamilyReply() {
  constexpr std::array<unsigned char, 56> kReply = {
      1, 2, 0, 0, 6, 0, 1, 0, 19, 0, 0, 0, 8, 0, 5, 0, 37, 0, 0, 0,
      // Two operations: DEV_GET and DEV_CONFIG_GET; then MGMTDEV_GET.
      40, 0, 6, 0, 12, 0, 1, 0, 8, 0, 1, 0, 5, 0, 0, 0, 12, 0, 2, 0, 8, 0, 1, 0, 6, 0, 0, 0, 12, 0,
      3, 0, 8, 0, 1, 0};
  auto bytes = std::as_bytes(std::span(kReply));
  std::vector<std::byte> payload(bytes.begin(), bytes.end());
  payload.push_back(std::byte{2});
  payload.resize(60);
  return vdpa::BuildMessage(16, 0, {}, payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> file(bytes.begin(), bytes.end());
  const vdpa::RecordingReader read =
      [&file](std::string_view path) -> vdpa::Result<std::vector<std::byte>> {
    return path == "netlink/getfamily.bin" ? FamilyReply() : file;
  };
  const vdpa::ChannelFactory open =
      [&read]() -> vdpa::Result<std::unique_ptr<vdpa::NetlinkChannel>> {
    return std::make_unique<vdpa::ReplayChannel>(read);
  };
  const auto deadline = vdpa::Deadline::max();
  vdpa::VdpaFamily family(open);
  if (!family.Abi(deadline)) __builtin_trap();
  (void)family.ReadMgmtDevices(deadline);
  (void)family.ReadDevices(deadline);
  (void)family.ReadDevice("vdpa0", deadline);
  (void)family.ReadMgmtDevice("pci", "0000:11:00.1", deadline);
  (void)family.ReadConfig("vdpa0", deadline);
  if (!family.Abi(deadline)) __builtin_trap();
  (void)vdpa::ReadLinks(open, deadline);
  return 0;
}
