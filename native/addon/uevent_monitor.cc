#include "addon/uevent_monitor.h"

#include <string_view>
#include <utility>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/rows.h"
#include "addon/values.h"

namespace vdpa::addon {

namespace {

/// Events per turn of the loop. What remains wakes the next turn.
constexpr int kEventsPerTurn = 128;

/// A host full of containers makes and removes interfaces all day: those of no PCI function are
/// nobody's here.
bool Concerns(const Uevent& event) {
  constexpr std::string_view kPciDevices = "/devices/pci";
  return event.subsystem == "vdpa" || event.subsystem == "pci" || event.subsystem == "auxiliary" ||
         event.subsystem == "module" ||
         (event.subsystem == "net" && event.devpath.starts_with(kPciDevices));
}

}  // namespace

struct UeventMonitor::Handle {
  uv_poll_t poll;  // first, so that a uv_poll_t* is a Handle*
  UeventSocket socket;
  UeventMonitor* monitor;  ///< null once closed
  napi_async_cleanup_hook_handle hook = nullptr;
};

Napi::Function UeventMonitor::Define(Napi::Env env) {
  return DefineClass(env, "UeventMonitor", {InstanceMethod<&UeventMonitor::Close>("close")});
}

UeventMonitor::UeventMonitor(const Napi::CallbackInfo& info)
    : Napi::ObjectWrap<UeventMonitor>(info) {
  // Not wrapped: the environment is being terminated, and nobody would ever delete this.
  if (IsEmpty()) return;
  const Napi::Env env = info.Env();
  Arguments arguments(info);
  constexpr std::uint32_t kMaxBufferBytes = std::uint32_t{1} << 30U;
  const std::uint32_t buffer_bytes = arguments.Unsigned(kMaxBufferBytes);
  if (!arguments.Ok()) return;
  if (!info[1].IsFunction()) {
    Napi::TypeError::New(env, "expected a listener").ThrowAsJavaScriptException();
    return;
  }
  Result<UeventSocket> socket = UeventSocket::Open(static_cast<int>(buffer_bytes));
  if (!socket) {
    napi_throw(env, Environment::Of(env).MakeError(env, socket.error()));
    return;
  }
  uv_loop_t* loop = nullptr;
  napi_get_uv_event_loop(env, &loop);
  auto owned = std::make_unique<Handle>(Handle{{}, *std::move(socket), this});
  Handle* const handle = owned.get();
  if (uv_poll_init(loop, &handle->poll, handle->socket.Fd()) != 0) {
    Napi::Error::New(env, "the event loop takes no more handles").ThrowAsJavaScriptException();
    return;
  }
  handle->poll.data = owned.release();  // freed by its close callback, as libuv demands
  uv_unref(reinterpret_cast<uv_handle_t*>(&handle->poll));
  napi_add_async_cleanup_hook(
      env,
      [](napi_async_cleanup_hook_handle hook, void* data) {
        auto* const ended = static_cast<Handle*>(data);
        ended->hook = hook;
        if (ended->monitor != nullptr) CloseHandle(ended);
      },
      handle, &handle->hook);
  listener_ = Napi::Persistent(info[1].As<Napi::Function>());
  handle_ = handle;
  Ref();  // until closed: who listens need not also hold on to this
  uv_poll_start(&handle->poll, UV_READABLE, OnReadable);
}

void UeventMonitor::OnReadable(uv_poll_t* poll, int status, int /*events*/) {
  auto* const handle = static_cast<Handle*>(poll->data);
  if (handle->monitor != nullptr) handle->monitor->Deliver(handle->monitor->Env());
  // libuv stops to poll a socket that has an error. This one's are dropped events, and reading has
  // cleared them. The listener may have closed meanwhile.
  if (status < 0 && handle->monitor != nullptr) uv_poll_start(poll, UV_READABLE, OnReadable);
}

/// Also stops the monitor; its object is let go of by the caller, or goes with the environment.
void UeventMonitor::CloseHandle(Handle* handle) {
  handle->monitor->handle_ = nullptr;
  handle->monitor = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->poll), [](uv_handle_t* closed) {
    const std::unique_ptr<Handle> owned(static_cast<Handle*>(closed->data));
    // Of an environment that goes on, the hook is not to be called for what is gone.
    if (owned->hook != nullptr) napi_remove_async_cleanup_hook(owned->hook);
  });
}

void UeventMonitor::Close(const Napi::CallbackInfo& /*info*/) {
  if (handle_ == nullptr) return;
  CloseHandle(handle_);
  listener_.Reset();
  Unref();
}

void UeventMonitor::Deliver(Napi::Env env) {
  std::vector<Uevent> events;
  bool lost = false;
  for (int count = 0; count < kEventsPerTurn; ++count) {
    Result<std::optional<Uevent>> event = handle_->socket.ReadEvent();
    if (!event) {
      // What cannot be read may have been of importance.
      lost = true;
      continue;
    }
    std::optional<Uevent>& next = *event;
    if (!next) break;
    if (Concerns(*next)) events.push_back(*std::move(next));
  }
  if (events.empty() && !lost) return;
  const Napi::HandleScope scope(env);
  const Napi::AsyncContext context(env, "vdpa-host");
  const Napi::CallbackScope callback(env, context);
  static_cast<void>(
      listener_.Call({MakeValue(env, Answer(Pack(events))), Napi::Boolean::New(env, lost)}));
}

}  // namespace vdpa::addon
