#include "addon/lane.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace vdpa::addon {

Result<std::unique_ptr<Lane>> Lane::Start() {
  auto queue = std::make_shared<Queue>();
  auto* argument = std::make_unique<std::shared_ptr<Queue>>(queue).release();  // the thread's
  // Signals belong to the process's own handlers: none may interrupt a netlink exchange here.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread{};
  const int status = pthread_create(&thread, nullptr, &Lane::Run, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (status != 0) {
    const std::unique_ptr<std::shared_ptr<Queue>> nobodys(argument);
    return SystemError("start a thread", status);
  }
  pthread_detach(thread);
  return std::unique_ptr<Lane>(new Lane(std::move(queue)));
}

Lane::~Lane() {
  const std::lock_guard lock(queue_->mutex);
  queue_->ending = true;
  queue_->changed.notify_one();
}

void Lane::Post(Work work) {
  const std::lock_guard lock(queue_->mutex);
  queue_->work.push_back(std::move(work));
  queue_->changed.notify_one();
}

void* Lane::Run(void* argument) {
  const std::unique_ptr<std::shared_ptr<Queue>> held(
      static_cast<std::shared_ptr<Queue>*>(argument));
  // For who wonders in ps(1) or gdb what waits in the kernel.
  pthread_setname_np(pthread_self(), "vdpa-host");
  Queue& queue = **held;
  std::unique_lock lock(queue.mutex);
  for (;;) {
    queue.changed.wait(lock, [&queue] { return queue.ending || !queue.work.empty(); });
    if (queue.work.empty()) return nullptr;
    {
      const Work work = std::move(queue.work.front());
      queue.work.pop_front();
      lock.unlock();
      work();
    }  // what the work captured is let go before the next wait
    lock.lock();
  }
}

}  // namespace vdpa::addon
