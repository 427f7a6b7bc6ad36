#include "core/host_root.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "support/sysfs_tree.h"

using namespace vdpa;
using vdpa::test::SysfsTree;

TEST_CASE("a root that does not exist is gone, a file is no root") {
  SysfsTree tree;
  tree.File("plain", "x");
  CHECK(HostRoot::Open(tree.Path() + "/missing").error().fault == Fault::kGone);
  const auto file = HostRoot::Open(tree.Path() + "/plain");
  REQUIRE_FALSE(file);
  CHECK(file.error().errno_value == ENOTDIR);
}

TEST_CASE("the machine's own root is live under any spelling") {
  CHECK(HostRoot::Open("/")->Live());
  CHECK(HostRoot::Open("//proc/..")->Live());
  CHECK_FALSE(HostRoot::Open("/proc")->Live());
}

TEST_CASE("both kinds of root read the same tree the same way") {
  SysfsTree tree;
  tree.File("sys/a/attr", "42\n");
  tree.File("sys/a/empty", "");
  tree.File("sys/a/lines", "one\ntwo\n\n");
  tree.File("sys/a/page", std::string(4096, 'x'));
  tree.File("sys/a/long", std::string(10000, 'y'));
  tree.Link("sys/b", "a");
  tree.Link("sys/dangling", "nowhere");
  for (const bool live : {true, false}) {
    CAPTURE(live);
    const HostRoot root = live ? tree.Live() : tree.Captured();
    CHECK(root.Live() == live);
    CHECK(root.ReadAttribute("sys/a/attr").value() == "42");
    CHECK(root.ReadAttribute("sys/b/attr").value() == "42");
    CHECK(root.ReadAttribute("sys/a/empty").value().empty());
    CHECK(root.ReadAttribute("sys/a/lines").value() == "one\ntwo\n");
    CHECK(root.ReadAttribute("sys/a/page").error().fault == Fault::kMalformed);
    CHECK(root.ReadFile("sys/a/long", 10000).value().size() == 10000);
    CHECK(root.ReadBytes("sys/a/attr", 10).value().size() == 3);
    CHECK(root.ReadFile("sys/a/long", 9999).error().fault == Fault::kMalformed);
    CHECK(root.ReadLink("sys/b").value() == "a");
    CHECK(root.ReadLink("sys/dangling").value() == "nowhere");
    CHECK(root.ReadLink("sys/a/attr").error().errno_value == EINVAL);
    CHECK(root.ReadLink("sys/none").error().fault == Fault::kGone);
    CHECK(root.ReadAttribute("sys/dangling").error().fault == Fault::kGone);
    const Error missing = root.ReadAttribute("sys/a/none").error();
    CHECK(missing.fault == Fault::kGone);
    CHECK(missing.errno_value == ENOENT);
    CHECK(missing.op == "open sys/a/none");
    CHECK(root.Exists("sys/b/attr").value());
    CHECK_FALSE(root.Exists("sys/dangling").value());
    CHECK(root.List("sys/a").value().size() == 5);
    CHECK(root.List("sys/none").error().fault == Fault::kGone);
    CHECK(root.List("sys/a/attr").error().errno_value == ENOTDIR);
    CHECK_FALSE(root.NodeNumber("sys/a/attr").value().has_value());
    CHECK(root.NodeNumber("sys/none").error().fault == Fault::kGone);
  }
}

TEST_CASE("one odd file is an error on a live root and absent from a captured tree") {
  SysfsTree tree;
  tree.File("file", "x");
  tree.Link("loop", "loop");
  for (const bool live : {true, false}) {
    CAPTURE(live);
    const HostRoot root = live ? tree.Live() : tree.Captured();
    const Fault fault = live ? Fault::kSystem : Fault::kGone;
    CHECK(root.ReadLink("file").error().fault == fault);
    CHECK(root.ReadLink("file/below").error().fault == fault);
    CHECK(root.ReadLink("loop/below").error().fault == fault);
    CHECK(root.List("file").error().fault == fault);
    CHECK(root.ReadAttribute("loop").error().fault == fault);
    CHECK(root.NodeNumber("file/below").error().fault == fault);
    CHECK(root.Exists("file/below").has_value() != live);
    CHECK(root.ReadLinkIfThere("file").has_value() != live);
  }
}

TEST_CASE("a listing larger than one buffer is whole") {
  SysfsTree tree;
  for (int i = 0; i < 700; ++i) tree.File("d/" + std::string(100, 'n') + std::to_string(i), "");
  auto entries = tree.Live().List("d").value();
  CHECK(entries.size() == 700);
  std::ranges::sort(entries, {}, &DirectoryEntry::name);
  CHECK(std::ranges::unique(entries, {}, &DirectoryEntry::name).empty());
}

TEST_CASE("links of a captured tree never leave it") {
  SysfsTree tree;
  SysfsTree outside;
  outside.File("secret", "outside\n");
  tree.Link("absolute", outside.Path() + "/secret");
  tree.Link("climbing", "../../../../../../../../.." + outside.Path() + "/secret");
  tree.Link("sys", outside.Path());
  tree.Link("magic", "/proc/self/root" + outside.Path() + "/secret");
  tree.Link("loop", "loop");
  const HostRoot root = tree.Captured();
  CHECK(root.ReadAttribute("absolute").error().fault == Fault::kGone);
  CHECK(root.ReadAttribute("climbing").error().fault == Fault::kGone);
  CHECK(root.ReadAttribute("magic").error().fault == Fault::kGone);
  CHECK(root.ReadAttribute("sys/secret").error().fault == Fault::kGone);
  CHECK(root.List("sys").error().fault == Fault::kGone);
  CHECK(root.ReadAttribute("loop").error().errno_value == ELOOP);
  CHECK(root.ReadAttribute("../secret").error().fault == Fault::kGone);
  // Inside, an absolute link means the tree's own root.
  tree.File("etc/own", "inside\n");
  tree.Link("own", "/etc/own");
  CHECK(root.ReadAttribute("own").value() == "inside");
}

TEST_CASE("what is no regular file is never opened in a captured tree") {
  SysfsTree tree;
  REQUIRE(mkfifo((tree.Path() + "/fifo").c_str(), 0600) == 0);
  CHECK(tree.Captured().ReadAttribute("fifo").error().fault == Fault::kMalformed);
}

TEST_CASE("a character device node tells its number") {
  const auto number = HostRoot::Open("/")->NodeNumber("dev/null");
  CHECK(number.value() == DeviceNumber{1, 3});
}

TEST_CASE("whether a file may be opened is judged by the effective user") {
  SysfsTree tree;
  tree.File("node", "");
  const std::string path = tree.Path() + "/node";
  REQUIRE(chmod(tree.Path().c_str(), 0755) == 0);
  const HostRoot root = tree.Live();
  const uid_t own = geteuid();
  for (const bool open : {false, true}) {
    CAPTURE(open);
    REQUIRE(chmod(path.c_str(), open ? 0666 : 0444) == 0);
    constexpr uid_t kNobody = 65534;
    if (own == 0) REQUIRE(seteuid(kNobody) == 0);
    const Result<bool> answer = root.MayOpen("node");
    REQUIRE(seteuid(own) == 0);
    CHECK(answer.value() == open);
  }
  CHECK(root.MayOpen("none").error().fault == Fault::kGone);
  CHECK(tree.Captured().MayOpen("node").error().errno_value == EROFS);
}

TEST_CASE("a root moves and keeps its directory") {
  SysfsTree tree;
  tree.File("a", "1");
  HostRoot first = tree.Captured();
  HostRoot second = std::move(first);
  CHECK(second.ReadAttribute("a").value() == "1");
  second = tree.Live();
  CHECK(second.Live());
  CHECK(second.ReadAttribute("a").value() == "1");
}

TEST_CASE("device numbers have one form") {
  CHECK(ParseDeviceNumber("250:3") == DeviceNumber{250, 3});
  CHECK(FormatDeviceNumber({250, 3}) == "250:3");
  for (const char* text :
       {"", ":", "250", "250:", ":3", "250:3:1", "-1:3", "250:3\n", "x:y", "4294967296:0"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDeviceNumber(text));
  }
}
