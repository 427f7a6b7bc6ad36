#include "libvirt/calls.h"

#include <thread>
#include <utility>

namespace vdpa::libvirt {
namespace {

constexpr int kThreads = 4;

}  // namespace

Calls::Calls(const Connection& connection) : connection_(connection) {
  for (int index = 0; index < kThreads; ++index) std::thread([this] { Serve(); }).detach();
}

void Calls::Add(Request request) {
  {
    const std::scoped_lock lock(mutex_);
    waiting_.push_back(std::move(request));
  }
  added_.notify_one();
}

void Calls::Serve() {
  for (;;) {
    std::unique_lock lock(mutex_);
    added_.wait(lock, [this] { return !waiting_.empty(); });
    const Request request = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    connection_.Answer(request.id, request.words);
  }
}

}  // namespace vdpa::libvirt
