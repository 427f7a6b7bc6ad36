// The JavaScript class UeventMonitor: the kernel's device events, on the environment's own loop.
#pragma once

#include <memory>

#include "addon/node_api.h"
#include "core/uevent.h"

namespace vdpa::addon {

/// Subscribed once constructed: what happens from then on is told, however long JavaScript takes to
/// listen. Does not keep the loop alive. Stays until it is closed or the environment ends.
class UeventMonitor : public Napi::ObjectWrap<UeventMonitor> {
 public:
  static Napi::Function Define(Napi::Env env);

  /// (receiveBufferBytes: number, listener: (events: PackedRows, lost: boolean) => void)
  explicit UeventMonitor(const Napi::CallbackInfo& info);

 private:
  struct Handle;

  void Close(const Napi::CallbackInfo& info);
  void Deliver(Napi::Env env);
  static void OnReadable(uv_poll_t* poll, int status, int events);
  static void CloseHandle(Handle* handle);

  Handle* handle_ = nullptr;  ///< null once closed; owns itself until its close callback
  Napi::FunctionReference listener_;
};

}  // namespace vdpa::addon
