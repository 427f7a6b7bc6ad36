#include "../core/uevent.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "support/bytes.h"

using namespace vdpa;
using namespace vdpa::test;

namespace {

// Lines to NUL-terminated texts, as the kernel sends them.
Bytes Event(std::string_view lines) {
  Bytes bytes = FromText(lines);
  for (auto& byte : bytes) {
    if (byte == std::byte{'\n'}) byte = std::byte{0};
  }
  return bytes;
}

constexpr std::string_view kBind =
    "bind@/devices/pci0000:20/0000:20:00.0/0000:21:00.1/vf1\n"
    "ACTION=bind\n"
    "DEVPATH=/devices/pci0000:20/0000:20:00.0/0000:21:00.1/vf1\n"
    "SUBSYSTEM=vdpa\n"
    "DRIVER=vhost_vdpa\n"
    "SEQNUM=466\n";

std::string Problem(std::string_view lines) {
  const auto event = ParseUevent(Event(lines));
  REQUIRE_FALSE(event);
  CHECK(event.error().fault == Fault::kMalformed);
  return event.error().message;
}

// Makes the kernel send an event about /dev/null; false where we may not.
bool Provoke(std::string_view action) {
  const UniqueFd file(::open("/sys/class/mem/null/uevent", O_WRONLY | O_CLOEXEC));
  return file && ::write(file.Get(), action.data(), action.size()) > 0;
}

std::optional<Uevent> WaitForNull(UeventSocket& socket) {
  for (int i = 0; i < 100; ++i) {
    auto event = socket.ReadEvent();
    REQUIRE(event);
    if (*event && (*event)->devpath.ends_with("/mem/null")) return *std::move(event);
    if (!*event) {
      pollfd entry{socket.Fd(), POLLIN, 0};
      ::poll(&entry, 1, 50);
    }
  }
  return std::nullopt;
}

}  // namespace

TEST_CASE("a bind event of a vdpa device") {
  const auto event = ParseUevent(Event(kBind));
  REQUIRE(event);
  CHECK(event->action == "bind");
  CHECK(event->devpath == "/devices/pci0000:20/0000:20:00.0/0000:21:00.1/vf1");
  CHECK(event->subsystem == "vdpa");
  CHECK(event->driver == "vhost_vdpa");
  CHECK(event->seqnum == 466);
  CHECK(event->properties.size() == 5);
  CHECK(event->properties.back() == std::pair<std::string, std::string>{"SEQNUM", "466"});
}

TEST_CASE("an unbind event names no driver; a PCI one has properties of its own") {
  const auto unbind = ParseUevent(Event(
      "unbind@/d/v\nACTION=unbind\nDEVPATH=/d/v\nSUBSYSTEM=vdpa\nSEQNUM=18446744073709551615\n"));
  REQUIRE(unbind);
  CHECK(unbind->driver.empty());
  CHECK(unbind->seqnum == UINT64_MAX);
  const auto pci =
      ParseUevent(Event("add@/d/p\nACTION=add\nDEVPATH=/d/"
                        "p\nSUBSYSTEM=pci\nPCI_ID=15B3:101E\nA=b=c\nE=\nSEQNUM=1\n"));
  REQUIRE(pci);
  CHECK(pci->properties[3] == std::pair<std::string, std::string>{"PCI_ID", "15B3:101E"});
  CHECK(pci->properties[4] == std::pair<std::string, std::string>{"A", "b=c"});
  CHECK(pci->properties[5] == std::pair<std::string, std::string>{"E", ""});
}

TEST_CASE("what is not a kernel event is refused, and says why") {
  Bytes udev = FromText(std::string_view("libudev\0\xfe\xed\xca\xfe", 12));
  CHECK(ParseUevent(udev).error().message.contains("udevd"));
  CHECK(Problem("").contains("NUL"));
  CHECK(Problem("add@/d\nACTION=add\nDEVPATH=/d\nSEQNUM=1").contains("NUL"));
  CHECK(Problem("add@/d\nACTION=remove\nDEVPATH=/d\nSEQNUM=1\n").contains("ACTION@DEVPATH"));
  CHECK(Problem("add@/d\nACTION=add\nDEVPATH=/e\nSEQNUM=1\n").contains("ACTION@DEVPATH"));
  CHECK(Problem("add@/d\nDEVPATH=/d\nSEQNUM=1\n").contains("ACTION@DEVPATH"));
  CHECK(Problem("@\nACTION=\nDEVPATH=\nSEQNUM=1\n").contains("ACTION@DEVPATH"));
  CHECK(Problem("add@/d\nACTION=add\nDEVPATH=/d\n") == "no SEQNUM");
  for (const auto* number : {"", "x", "1x", "-1", "+1", " 1", "18446744073709551616"}) {
    CAPTURE(number);
    CHECK(Problem("add@/d\nACTION=add\nDEVPATH=/d\nSEQNUM=" + std::string(number) + "\n") ==
          "SEQNUM is not a number");
  }
  CHECK(Problem("add@/d\nACTION=add\nDEVPATH=/d\nSEQNUM=1\nplain\n").contains("KEY=VALUE"));
  CHECK(Problem("add@/d\nACTION=add\nDEVPATH=/d\nSEQNUM=1\n=x\n").contains("KEY=VALUE"));
  CHECK(Problem("add@/d\nACTION=add\nDEVPATH=/d\nSEQNUM=1\n\n").contains("KEY=VALUE"));
}

TEST_CASE("an event cut short at every byte is refused") {
  const auto whole = Event(kBind);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
    CHECK_FALSE(ParseUevent(cut));
  }
}

TEST_CASE("a new socket has no events, does not block, and closes on exec") {
  auto socket = UeventSocket::Open();
  REQUIRE(socket);
  CHECK((::fcntl(socket->Fd(), F_GETFD) & FD_CLOEXEC) != 0);
  for (int i = 0; i < 1000; ++i) {
    const auto event = socket->ReadEvent();
    REQUIRE(event);
    if (!*event) return;
  }
  FAIL("the machine never falls silent");
}

TEST_CASE("the kernel's events arrive") {
  auto socket = UeventSocket::Open();
  REQUIRE(socket);
  if (!Provoke("change")) {
    MESSAGE("no permission to provoke a uevent: nothing was checked");
    return;
  }
  const auto event = WaitForNull(*socket);
  REQUIRE(event);
  CHECK(event->action == "change");
  CHECK(event->subsystem == "mem");
}

TEST_CASE("a full receive buffer is a loss, after which events arrive again") {
  auto socket = UeventSocket::Open(1);
  REQUIRE(socket);
  for (int i = 0; i < 200; ++i) {
    if (!Provoke("change")) {
      MESSAGE("no permission to provoke a uevent: nothing was checked");
      return;
    }
  }
  // Events reach the socket within the write, in the kernel.
  bool lost = false;
  for (int i = 0; i < 300 && !lost; ++i) {
    const auto event = socket->ReadEvent();
    lost = !event && event.error().fault == Fault::kLost;
  }
  CHECK(lost);
  while (true) {
    const auto event = socket->ReadEvent();
    if (event && !*event) break;
  }
  REQUIRE(Provoke("change"));
  CHECK(WaitForNull(*socket));
}

TEST_CASE("an event that another process forged is passed over") {
  auto socket = UeventSocket::Open();
  REQUIRE(socket);
  sockaddr_nl own{};
  socklen_t length = sizeof(own);
  REQUIRE(::getsockname(socket->Fd(), reinterpret_cast<sockaddr*>(&own), &length) == 0);
  const UniqueFd forger(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT));
  const auto forged = Event(
      "change@/devices/virtual/mem/null\nACTION=change\n"
      "DEVPATH=/devices/virtual/mem/null\nSUBSYSTEM=mem\nSEQNUM=1\n");
  own.nl_groups = 0;
  bool sent = ::sendto(forger.Get(), forged.data(), forged.size(), 0,
                       reinterpret_cast<const sockaddr*>(&own), sizeof(own)) > 0;
  sockaddr_nl group{};
  group.nl_family = AF_NETLINK;
  group.nl_groups = 1;
  sent |= ::sendto(forger.Get(), forged.data(), forged.size(), 0,
                   reinterpret_cast<const sockaddr*>(&group), sizeof(group)) > 0;
  if (!sent) MESSAGE("no permission to forge: nothing was checked");
  for (int i = 0; i < 100; ++i) {
    const auto event = socket->ReadEvent();
    REQUIRE(event);
    if (!*event) return;
    CHECK_FALSE((*event)->devpath == "/devices/virtual/mem/null");
  }
}
