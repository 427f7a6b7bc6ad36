#include "core/change_task.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace vdpa;

namespace {

Result<ChangeTask> Parse(const std::vector<std::string_view>& words) {
  return ParseChangeTask(words);
}

}  // namespace

TEST_CASE("a task is read from its words") {
  CHECK(*Parse({"delete", "1000", "force", "vdpa0"}) ==
        ChangeTask{.kind = ChangeTask::Kind::kDelete,
                   .timeout = std::chrono::milliseconds(1000),
                   .force = true,
                   .target = "vdpa0"});
  CHECK(*Parse({"bind", "1", "gentle", "two words", "vhost_vdpa"}) ==
        ChangeTask{.kind = ChangeTask::Kind::kBind,
                   .timeout = std::chrono::milliseconds(1),
                   .target = "two words",
                   .driver = "vhost_vdpa"});
  CHECK(Parse({"bind", "1", "gentle", "vdpa0", ""})->driver.empty());
  CHECK(Parse({"bind", "1", "gentle", "vdpa0", "", "18446744073709551615"})->identity ==
        18446744073709551615U);
  CHECK(Parse({"delete", "1", "gentle", "vdpa0", "7"})->identity == 7);
  CHECK(*Parse({"vfs", "600000", "gentle", "0000:65:00.0", "0", "255"}) ==
        ChangeTask{.kind = ChangeTask::Kind::kSetVfs,
                   .timeout = std::chrono::milliseconds(600'000),
                   .target = "0000:65:00.0",
                   .vfs_now = 0,
                   .vfs_wanted = 255});
}

TEST_CASE("what is no task, or would climb out of its folder, is refused") {
  const std::string long_name(256, 'x');
  for (const std::vector<std::string_view>& words : std::vector<std::vector<std::string_view>>{
           {},
           {"delete", "1000", "force"},
           {"create", "1000", "force", "vdpa0"},
           {"delete", "", "force", "vdpa0"},
           {"delete", "-1", "force", "vdpa0"},
           {"delete", "600001", "force", "vdpa0"},
           {"delete", "1000", "maybe", "vdpa0"},
           {"delete", "1000", "force", ""},
           {"delete", "1000", "force", ".."},
           {"delete", "1000", "force", "a/b"},
           {"delete", "1000", "force", long_name},
           {"delete", "1000", "force", "vdpa0", "vdpa1"},
           {"delete", "1000", "force", "vdpa0", "7", "8"},
           {"bind", "1000", "force", "vdpa0"},
           {"bind", "1000", "force", "vdpa0", "vhost_vdpa", "-7"},
           {"bind", "1000", "force", "vdpa0", "../pci"},
           {"vfs", "1000", "force", "0000:65:00.0", "0"},
           {"vfs", "1000", "force", "0000:65:00.0", "0", "65536"},
           {"vfs", "1000", "force", "65:00.0", "0", "1"},
           {"vfs", "1000", "force", "../../x", "0", "1"},
       }) {
    CAPTURE(words.size());
    const auto task = Parse(words);
    REQUIRE_FALSE(task);
    CHECK(task.error().fault == Fault::kMalformed);
  }
}

TEST_CASE("a report line keeps its fields apart, whatever is in them") {
  CHECK(ReportLine({"done"}) == "done\n");
  CHECK(ReportLine({"refused", "busy", "vdpa0", ""}) == "refused\tbusy\tvdpa0\t\n");
  CHECK(ReportLine({"step", "a\tb\nc\\d\x7f\x01"}) == "step\ta\\x09b\\x0ac\\x5cd\\x7f\\x01\n");
  CHECK(ReportLine({"step", "größe"}) == "step\tgröße\n");
}
