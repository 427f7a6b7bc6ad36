// Runs in the lab: makes or deletes network simulators by the hundred, where a process for each
// would take minutes. `sims add NAME...`, `sims delete NAME...`.
#include <chrono>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/host_channels.h"
#include "core/host_root.h"
#include "core/vdpa_family.h"

int main(int argc, char** argv) {
  const std::span<char*> args(argv, static_cast<std::size_t>(argc));
  if (args.size() < 3) return 2;
  const std::string_view verb = args[1];
  if (verb != "add" && verb != "delete") return 2;
  auto root = vdpa::HostRoot::Open("/");
  if (!root) return 1;
  vdpa::VdpaFamily family(
      vdpa::VdpaChannels(std::make_shared<const vdpa::HostRoot>(std::move(*root))));
  for (const char* name : args.subspan(2)) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    const auto done = verb == "add"
                          ? family.AddDevice({.name = name, .mgmt_name = "vdpasim_net"}, deadline)
                          : family.DeleteDevice(name, deadline);
    if (done) continue;
    std::fprintf(stderr, "%s: %s %d\n", name, done.error().op.c_str(), done.error().errno_value);
    return 1;
  }
  return 0;
}
