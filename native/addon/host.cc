#include "addon/host.h"

#include <chrono>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "addon/arguments.h"
#include "addon/environment.h"
#include "addon/lane_call.h"
#include "addon/rows.h"
#include "addon/values.h"
#include "core/char_device.h"
#include "core/host_channels.h"
#include "core/named_devices.h"
#include "core/pci.h"

namespace vdpa::addon {

namespace {

Result<Answer> AnswerOf(Result<void> done) {
  if (!done) return std::unexpected(std::move(done.error()));
  return Answer();
}

Result<Answer> AnswerOf(Result<std::optional<std::string>> text) {
  if (!text) return std::unexpected(std::move(text.error()));
  return Answer(*std::move(text));
}

template <typename Record>
Result<Answer> AnswerOf(const Result<Record>& record) {
  if (!record) return std::unexpected(record.error());
  return Answer(Pack(*record));
}

Result<FamilyLists> ReadLists(VdpaFamily& family, Deadline deadline) {
  auto mgmt_devices = family.ReadMgmtDevices(deadline);
  if (!mgmt_devices) return std::unexpected(std::move(mgmt_devices.error()));
  auto vdpa_devices = family.ReadDevices(deadline);
  if (!vdpa_devices) return std::unexpected(std::move(vdpa_devices.error()));
  return FamilyLists{*std::move(mgmt_devices), *std::move(vdpa_devices)};
}

/// Files that people may point --root at have no promised size.
constexpr std::size_t kMaxTextBytes = std::size_t{64} * 1024;

}  // namespace

Host::Session::Session(std::shared_ptr<const HostRoot> opened)
    : root(std::move(opened)), family(VdpaChannels(root)), links(LinksOf(root)) {}

Napi::Function Host::Define(Napi::Env env) {
  return DefineClass(env, "Host",
                     {
                         InstanceMethod<&Host::TakeSnapshot>("snapshot"),
                         InstanceMethod<&Host::ReadFamilyLists>("familyLists"),
                         InstanceMethod<&Host::ReadNamed>("namedDevices"),
                         InstanceMethod<&Host::ReadConfig>("deviceConfig"),
                         InstanceMethod<&Host::ReadVendorStats>("vendorStats"),
                         InstanceMethod<&Host::AddDevice>("addDevice"),
                         InstanceMethod<&Host::DeleteDevice>("deleteDevice"),
                         InstanceMethod<&Host::SetMac>("setMac"),
                         InstanceMethod<&Host::DriverOverride>("driverOverride"),
                         InstanceMethod<&Host::Resolve>("resolve"),
                         InstanceMethod<&Host::ReadText>("readText"),
                         InstanceMethod<&Host::Exists>("exists"),
                         InstanceMethod<&Host::MayOpen>("mayOpen"),
                         InstanceMethod<&Host::List>("list"),
                         InstanceMethod<&Host::Record>("record"),
                         InstanceMethod<&Host::Recorded>("recorded"),
                         InstanceMethod<&Host::Withheld>("withheld"),
                         InstanceMethod<&Host::Abandon>("abandon"),
                         InstanceMethod<&Host::Close>("close"),
                     });
}

Host::Host(const Napi::CallbackInfo& info) : Napi::ObjectWrap<Host>(info) {
  // Not wrapped: the environment is being terminated, and nobody would ever delete this.
  if (IsEmpty()) return;
  Arguments arguments(info);
  std::string path = arguments.Path();
  if (!arguments.Ok()) return;
  Result<HostRoot> root = HostRoot::Open(std::move(path));
  if (!root) {
    Throw(info.Env(), root.error());
    return;
  }
  root_ = std::make_shared<const HostRoot>(std::move(*root));
}

template <typename Work>
Napi::Value Host::Enqueue(Napi::Env env, std::chrono::nanoseconds timeout, Work work) {
  if (!EnsureLane(env)) return env.Undefined();
  Napi::Value promise;
  const std::shared_ptr<Call> call = Call::Start(env, promise);
  if (call == nullptr) return {};
  running_ = call;
  PostCall(*lane_, env, call, [session = session_, timeout, work = std::move(work)] {
    // Packed here: the environment's thread has other things to do.
    return AnswerOf(work(*session, std::chrono::steady_clock::now() + timeout));
  });
  return promise;
}

template <typename Work>
Napi::Value Host::Enqueue(Arguments& arguments, Work work) {
  const std::chrono::nanoseconds timeout = arguments.Timeout();
  if (!arguments.Ok()) return {};
  return Enqueue(arguments.Env(), timeout, std::move(work));
}

bool Host::EnsureLane(Napi::Env env) {
  if (!Open(env)) return false;
  if (lane_ != nullptr) return true;
  Result<std::unique_ptr<Lane>> lane = Lane::Start();
  if (!lane) {
    Throw(env, lane.error());
    return false;
  }
  session_ = std::make_shared<Session>(root_);
  lane_ = std::move(*lane);
  return true;
}

bool Host::Open(Napi::Env env) const {
  if (root_ != nullptr) return true;
  Napi::TypeError::New(env, "the host is closed").ThrowAsJavaScriptException();
  return false;
}

Napi::Value Host::Throw(Napi::Env env, const Error& error) {
  napi_throw(env, Environment::Of(env).MakeError(env, error));
  return {};
}

Napi::Value Host::TakeSnapshot(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  return Enqueue(arguments, [](Session& session, Deadline deadline) {
    return vdpa::TakeSnapshot(*session.root, session.family, session.links, deadline);
  });
}

Napi::Value Host::ReadFamilyLists(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  return Enqueue(arguments, [](Session& session, Deadline deadline) {
    return ReadLists(session.family, deadline);
  });
}

Napi::Value Host::ReadNamed(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  return Enqueue(arguments, [names = arguments.Texts()](Session& session, Deadline deadline) {
    return ReadNamedDevices(*session.root, session.family, names, deadline);
  });
}

Napi::Value Host::ReadConfig(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  return Enqueue(arguments, [name = arguments.Text()](Session& session, Deadline deadline) {
    return session.family.ReadConfig(name, deadline);
  });
}

Napi::Value Host::ReadVendorStats(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::string name = arguments.Text();
  const std::uint32_t queue = arguments.Unsigned();
  return Enqueue(arguments, [name = std::move(name), queue](Session& session, Deadline deadline) {
    return session.family.ReadVendorStats(name, queue, deadline);
  });
}

Napi::Value Host::AddDevice(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::optional<AddRequest> request = arguments.Add();
  if (!request) return {};
  return Enqueue(arguments, [request = *std::move(request)](Session& session, Deadline deadline) {
    return session.family.AddDevice(request, deadline);
  });
}

Napi::Value Host::DeleteDevice(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  return Enqueue(arguments, [name = arguments.Text()](Session& session, Deadline deadline) {
    return session.family.DeleteDevice(name, deadline);
  });
}

Napi::Value Host::SetMac(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::string name = arguments.Text();
  const MacAddress mac = arguments.Mac();
  return Enqueue(arguments, [name = std::move(name), mac](Session& session, Deadline deadline) {
    return session.family.SetMac(name, mac, deadline);
  });
}

Napi::Value Host::DriverOverride(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  return Enqueue(arguments, [address = arguments.Text()](Session& session, Deadline /*deadline*/) {
    return ReadDriverOverride(*session.root, address);
  });
}

Napi::Value Host::Resolve(const Napi::CallbackInfo& info) {
  using Kind = DeviceLocation::Kind;
  Arguments arguments(info);
  DeviceLocation location;
  location.kind =
      static_cast<Kind>(arguments.Unsigned(static_cast<std::uint32_t>(Kind::kSoftware)));
  location.name = arguments.Text();
  CharDeviceHint hint;
  hint.vdpa_name = arguments.Text();
  hint.number.major = arguments.Unsigned();
  hint.number.minor = arguments.Unsigned();
  if (!arguments.Ok() || !Open(info.Env())) return {};
  const Result<CharDeviceAnswer> answer = ResolveCharDevice(
      *root_, location, hint.number.major == 0 ? std::nullopt : std::optional(std::move(hint)));
  if (!answer) return Throw(info.Env(), answer.error());
  return MakeValue(info.Env(), *answer);
}

Napi::Value Host::ReadText(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (!arguments.Ok() || !Open(info.Env())) return {};
  Result<std::string> text = root_->ReadFile(path, kMaxTextBytes);
  if (!text) return info.Env().Null();
  if (text->ends_with('\n')) text->pop_back();
  return Napi::String::New(info.Env(), *text);
}

Napi::Value Host::Exists(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (!arguments.Ok() || !Open(info.Env())) return {};
  return Napi::Boolean::New(info.Env(), root_->Exists(path).value_or(false));
}

Napi::Value Host::MayOpen(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (!arguments.Ok() || !Open(info.Env())) return {};
  // A node that went meanwhile is no matter of permission.
  return Napi::Boolean::New(info.Env(), root_->MayOpen(path).value_or(true));
}

Napi::Value Host::List(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  const std::string path = arguments.Text();
  if (!arguments.Ok() || !Open(info.Env())) return {};
  const Result<std::vector<DirectoryEntry>> entries = root_->List(path);
  if (!entries) return info.Env().Null();
  Napi::Array names = Napi::Array::New(info.Env(), entries->size());
  std::uint32_t index = 0;
  for (const DirectoryEntry& entry : *entries) {
    static_cast<void>(names.Set(index++, Napi::String::New(info.Env(), entry.name)));
  }
  return names;
}

void Host::Abandon(const Napi::CallbackInfo& info) {
  // The stuck thread keeps lane, session and root alive by itself. It no longer keeps the loop
  // alive.
  if (running_ != nullptr) running_->End(*Environment::Of(info.Env()).SharedOutbox());
  lane_.reset();
  session_.reset();
}

Napi::Value Host::Close(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Napi::Value promise;
  const std::shared_ptr<Call> call = Call::Start(env, promise);
  if (call == nullptr) {
    lane_.reset();
    session_.reset();
  } else if (lane_ == nullptr) {
    call->Resolve(env.Undefined());
  } else {
    std::shared_ptr<Outbox> outbox = Environment::Of(env).SharedOutbox();
    call->Begin(*outbox);
    lane_->Post([session = std::move(session_), root = std::move(root_), outbox, call]() mutable {
      session.reset();
      root.reset();
      outbox->Post([outbox, call](Napi::Env there) {
        call->End(*outbox);
        call->Resolve(there.Undefined());
      });
    });
    lane_.reset();
  }
  root_.reset();
  return promise;
}

}  // namespace vdpa::addon
