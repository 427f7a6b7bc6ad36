#include "core/paced_deadline.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdint>

using namespace vdpa;

namespace {

Deadline In(std::chrono::milliseconds time) { return std::chrono::steady_clock::now() + time; }

}  // namespace

TEST_CASE("a deadline that is over lets no step begin") {
  PacedDeadline deadline(In(std::chrono::milliseconds(0)));
  CHECK(deadline.Passed());
  CHECK(deadline.Passed());
}

TEST_CASE("a deadline ends a loop that would never end, at a multiple of its pace") {
  PacedDeadline deadline(In(std::chrono::milliseconds(5)));
  std::uint64_t steps = 0;
  while (!deadline.Passed()) ++steps;
  CHECK(steps % PacedDeadline::kPace == 0);
  CHECK(deadline.Passed());
}
