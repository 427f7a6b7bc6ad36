#include "../core/netlink_socket.h"

#include <doctest/doctest.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "../core/genetlink.h"
#include "../core/netlink_conversation.h"
#include "support/bytes.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

Deadline In(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

std::unique_ptr<NetlinkChannel> OpenGeneric(const NetlinkSocketOptions& options = {}) {
  auto channel = NetlinkSocket::Open(NetlinkProtocol::kGeneric, options);
  REQUIRE(channel);
  return *std::move(channel);
}

Bytes FamilyRequest(std::uint32_t sequence) {
  auto request =
      BuildMessage(GENL_ID_CTRL, NLM_F_REQUEST, Raw(genlmsghdr{CTRL_CMD_GETFAMILY, 1, 0}),
                   TextAttr(CTRL_ATTR_FAMILY_NAME, "nlctrl"));
  SetSequence(request, sequence);
  return request;
}

}  // namespace

TEST_CASE("the kernel tells about its own family") {
  Genetlink genetlink(OpenGeneric());
  const auto abi = genetlink.ResolveFamily("nlctrl", In(std::chrono::seconds(10)));
  REQUIRE(abi);
  CHECK(abi->family_id == GENL_ID_CTRL);
  CHECK((abi->commands >> CTRL_CMD_GETFAMILY & 1U) == 1);
  CHECK(genetlink.ResolveFamily("vdpa-host-none", In(std::chrono::seconds(10))).error().fault ==
        Fault::kNoFamily);
  CHECK(genetlink.Usable());
}

TEST_CASE("a silent kernel is a timeout at the deadline, not before and not much after") {
  const auto channel = OpenGeneric();
  std::array<std::byte, 64> buffer{};
  const auto start = std::chrono::steady_clock::now();
  const auto received = channel->Receive(buffer, start + std::chrono::milliseconds(60));
  const auto waited = std::chrono::steady_clock::now() - start;
  REQUIRE_FALSE(received);
  CHECK(received.error().fault == Fault::kTimeout);
  CHECK(waited >= std::chrono::milliseconds(60));
  CHECK(waited < std::chrono::seconds(10));
}

TEST_CASE("signals do not cut a wait short or make it longer") {
  struct sigaction action{};
  struct sigaction before{};
  action.sa_handler = [](int) {};
  REQUIRE(::sigaction(SIGUSR1, &action, &before) == 0);
  const auto channel = OpenGeneric();
  std::atomic<bool> stop = false;
  std::thread sender([&stop, target = ::pthread_self()] {
    while (!stop) {
      ::pthread_kill(target, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  std::array<std::byte, 64> buffer{};
  const auto start = std::chrono::steady_clock::now();
  const auto received = channel->Receive(buffer, start + std::chrono::milliseconds(80));
  const auto waited = std::chrono::steady_clock::now() - start;
  stop = true;
  sender.join();
  ::sigaction(SIGUSR1, &before, nullptr);
  CHECK(received.error().fault == Fault::kTimeout);
  CHECK(waited >= std::chrono::milliseconds(80));
  CHECK(waited < std::chrono::seconds(10));
}

TEST_CASE("an answer that is there is read even when the time is up") {
  const auto channel = OpenGeneric();
  REQUIRE(channel->Send(FamilyRequest(5), In(std::chrono::seconds(10))));
  std::vector<std::byte> buffer(32768);
  const auto received = channel->Receive(buffer, In(std::chrono::seconds(-1)));
  REQUIRE(received);
  CHECK(received->sender_port == 0);
  CHECK_FALSE(received->truncated);
  CHECK(HeaderOf(received->bytes).nlmsg_seq == 5);
}

TEST_CASE("an answer longer than the buffer is marked") {
  const auto channel = OpenGeneric();
  REQUIRE(channel->Send(FamilyRequest(5), In(std::chrono::seconds(10))));
  std::array<std::byte, 20> buffer{};
  const auto received = channel->Receive(buffer, In(std::chrono::seconds(10)));
  REQUIRE(received);
  CHECK(received->truncated);
  CHECK(received->bytes.size() == 20);
}

TEST_CASE("answers that the receive buffer cannot hold are a loss") {
  const auto channel = OpenGeneric({.receive_buffer_bytes = 1});
  for (std::uint32_t i = 1; i <= 100; ++i) {
    REQUIRE(channel->Send(FamilyRequest(i), In(std::chrono::seconds(10))));
  }
  std::vector<std::byte> buffer(32768);
  bool lost = false;
  for (int i = 0; i < 101 && !lost; ++i) {
    const auto received = channel->Receive(buffer, In(std::chrono::seconds(10)));
    lost = !received && received.error().fault == Fault::kLost &&
           received.error().errno_value == ENOBUFS;
  }
  CHECK(lost);
}
