#include "addon/outbox.h"

#include <utility>

namespace vdpa::addon {

namespace {

/// What the handle carries: it keeps the box alive until libuv has let go of the handle.
struct Handle {
  uv_async_t async;  // first, so that a uv_async_t* is a Handle*
  std::shared_ptr<Outbox> box;
  napi_async_cleanup_hook_handle hook = nullptr;
};

}  // namespace

std::shared_ptr<Outbox> Outbox::Open(Napi::Env env) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return nullptr;
  std::shared_ptr<Outbox> box(new Outbox(env));
  auto handle = std::make_unique<Handle>();
  handle->box = box;
  const int status = uv_async_init(loop, &handle->async, [](uv_async_t* async) {
    // A copy: a completion may end the environment, and with it the handle.
    const std::shared_ptr<Outbox> held = static_cast<Handle*>(async->data)->box;
    held->Deliver();
  });
  if (status != 0) return nullptr;
  uv_async_t& async = handle->async;
  uv_unref(reinterpret_cast<uv_handle_t*>(&async));
  box->async_ = &async;
  const napi_status hooked =
      napi_add_async_cleanup_hook(env, &Outbox::Close, handle.get(), &handle->hook);
  async.data = handle.release();  // freed by a close callback, as libuv demands
  if (hooked == napi_ok) return box;
  box->async_ = nullptr;
  uv_close(reinterpret_cast<uv_handle_t*>(&async), [](uv_handle_t* closed) {
    const std::unique_ptr<Handle> owned(static_cast<Handle*>(closed->data));
  });
  return nullptr;
}

void Outbox::Close(napi_async_cleanup_hook_handle hook, void* data) {
  auto* handle = static_cast<Handle*>(data);
  handle->hook = hook;
  {
    const std::lock_guard lock(handle->box->mutex_);
    handle->box->async_ = nullptr;
    handle->box->completions_.clear();
  }
  uv_close(reinterpret_cast<uv_handle_t*>(&handle->async), [](uv_handle_t* closed) {
    const std::unique_ptr<Handle> owned(static_cast<Handle*>(closed->data));
    napi_remove_async_cleanup_hook(owned->hook);
  });
}

void Outbox::Post(Completion completion) {
  const std::lock_guard lock(mutex_);
  if (async_ == nullptr) return;
  completions_.push_back(std::move(completion));
  uv_async_send(async_);
}

void Outbox::Expect() {
  const std::lock_guard lock(mutex_);
  if (expected_++ == 0 && async_ != nullptr) uv_ref(reinterpret_cast<uv_handle_t*>(async_));
}

void Outbox::Settle() {
  const std::lock_guard lock(mutex_);
  if (--expected_ == 0 && async_ != nullptr) uv_unref(reinterpret_cast<uv_handle_t*>(async_));
}

void Outbox::Deliver() {
  std::vector<Completion> ready;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(completions_);
  }
  for (Completion& completion : ready) {
    const Napi::HandleScope scope(env_);
    const Napi::AsyncContext context(env_, "vdpa-host");
    const Napi::CallbackScope callback(env_, context);
    completion(env_);
  }
}

}  // namespace vdpa::addon
