#include "addon/sockets.h"

#include <limits>
#include <string>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "core/peer_credentials.h"
#include "core/supervisor.h"

namespace vdpa::addon {

Napi::Value ReadPeer(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Arguments arguments(info);
  const std::uint32_t fd = arguments.Unsigned(std::numeric_limits<int>::max());
  if (!arguments.Ok()) return {};
  const Result<PeerCredentials> peer = ReadPeerCredentials(static_cast<int>(fd));
  if (!peer) {
    napi_throw(env, Environment::Of(env).MakeError(env, peer.error()));
    return {};
  }
  Napi::Array ids = Napi::Array::New(env, 3);
  static_cast<void>(ids.Set(0U, Napi::Number::New(env, peer->pid)));
  static_cast<void>(ids.Set(1U, Napi::Number::New(env, peer->uid)));
  static_cast<void>(ids.Set(2U, Napi::Number::New(env, peer->gid)));
  return ids;
}

Napi::Value Notify(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Arguments arguments(info);
  const std::string socket = arguments.Path();
  const std::string message = arguments.Path();
  if (!arguments.Ok()) return {};
  const Result<void> told = NotifySupervisor(socket, message);
  if (!told) napi_throw(env, Environment::Of(env).MakeError(env, told.error()));
  return env.Undefined();
}

}  // namespace vdpa::addon
