// Runs in the lab: deletes devices between two receives of one DEV_GET dump, which hides live ones
// from the dump, and then from each attempt of a snapshot, which must still have every live one.
// Prints one JSON object.
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/host_channels.h"
#include "core/host_root.h"
#include "core/netlink_socket.h"
#include "core/snapshot.h"
#include "core/vdpa_abi.h"
#include "core/vdpa_family.h"

namespace {

using namespace vdpa;

constexpr int kDevices = 1500;
constexpr int kDeletedEachTime = 10;
constexpr std::size_t kGenlCommandOffset = 16;

Deadline Soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }

/// A real socket that lets something happen after the first datagram of each DEV_GET dump.
class InterruptedChannel final : public NetlinkChannel {
 public:
  InterruptedChannel(std::unique_ptr<NetlinkChannel> inner, std::function<void()> interrupt)
      : inner_(std::move(inner)), interrupt_(std::move(interrupt)) {}

  Result<void> Send(std::span<const std::byte> request, Deadline deadline) override {
    constexpr std::size_t kFlagsOffset = 6;
    const bool dump = (std::to_integer<unsigned>(request[kFlagsOffset + 1]) & 3U) == 3U;
    armed_ = dump && request.size() > kGenlCommandOffset &&
             std::to_integer<unsigned>(request[kGenlCommandOffset]) ==
                 static_cast<unsigned>(Command::kDevGet);
    return inner_->Send(request, deadline);
  }

  Result<Datagram> Receive(std::span<std::byte> buffer, Deadline deadline) override {
    auto datagram = inner_->Receive(buffer, deadline);
    if (std::exchange(armed_, false)) interrupt_();
    return datagram;
  }

 private:
  std::unique_ptr<NetlinkChannel> inner_;
  std::function<void()> interrupt_;
  bool armed_ = false;
};

std::string Name(int index) { return "race" + std::to_string(index); }

/// Live devices that are not in the list.
int Missing(const std::vector<VdpaDevice>& listed, int first_alive) {
  std::set<std::string> names;
  for (const VdpaDevice& device : listed) names.insert(device.name);
  int missing = 0;
  for (int i = first_alive; i < kDevices; ++i) missing += names.contains(Name(i)) ? 0 : 1;
  return missing;
}

}  // namespace

int main() {
  auto opened = HostRoot::Open("/");
  if (!opened) return 1;
  const auto root = std::make_shared<const HostRoot>(std::move(*opened));
  VdpaFamily changer(VdpaChannels(root));
  for (int i = 0; i < kDevices; ++i) {
    const auto added = changer.AddDevice({.name = Name(i), .mgmt_name = "vdpasim_net"}, Soon());
    if (!added) {
      std::fprintf(stderr, "add %d: %s %d\n", i, added.error().op.c_str(),
                   added.error().errno_value);
      return 1;
    }
  }
  int first_alive = 0;
  int interruptions = 0;
  VdpaFamily family([&]() -> Result<std::unique_ptr<NetlinkChannel>> {
    auto socket = NetlinkSocket::Open(NetlinkProtocol::kGeneric);
    if (!socket) return socket;
    return std::make_unique<InterruptedChannel>(std::move(*socket), [&] {
      ++interruptions;
      for (int i = 0; i < kDeletedEachTime; ++i) {
        static_cast<void>(changer.DeleteDevice(Name(first_alive++), Soon()));
      }
    });
  });

  const auto dump = family.ReadDevices(Soon());
  if (!dump) return 1;
  const int dump_missing = Missing(*dump, first_alive);
  const int dump_interruptions = std::exchange(interruptions, 0);

  const auto snapshot = TakeSnapshot(*root, family, LinksOf(root), Soon());
  if (!snapshot) return 1;
  std::set<std::string> distinct;
  for (const VdpaDevice& device : snapshot->vdpa_devices) distinct.insert(device.name);
  std::printf(
      "{\"dumpInterruptions\":%d,\"dumpMissing\":%d,\"snapshotInterruptions\":%d,"
      "\"snapshotMissing\":%d,\"duplicates\":%zu,\"consistent\":%s,\"attempts\":%u,\"alive\":%d,"
      "\"listed\":%zu}\n",
      dump_interruptions, dump_missing, interruptions, Missing(snapshot->vdpa_devices, first_alive),
      snapshot->vdpa_devices.size() - distinct.size(), snapshot->consistent ? "true" : "false",
      snapshot->attempts, kDevices - first_alive, snapshot->vdpa_devices.size());
  for (int i = first_alive; i < kDevices; ++i) {
    static_cast<void>(changer.DeleteDevice(Name(i), Soon()));
  }
  return 0;
}
