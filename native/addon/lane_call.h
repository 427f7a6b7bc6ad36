// A call whose work a lane does.
#pragma once

#include <memory>
#include <utility>

#include "addon/call.h"
#include "addon/environment.h"
#include "addon/lane.h"
#include "addon/node_api.h"
#include "addon/outbox.h"
#include "addon/values.h"
#include "core/result.h"

namespace vdpa::addon {

/// Runs `work`, called as Result<Answer>(), on the lane; what it gives settles the call on the
/// environment's thread.
template <typename Work>
void PostCall(Lane& lane, Napi::Env env, const std::shared_ptr<Call>& call, Work work) {
  std::shared_ptr<Outbox> outbox = Environment::Of(env).SharedOutbox();
  call->Begin(*outbox);
  lane.Post([outbox, call, work = std::move(work)] {
    Result<Answer> answer = work();
    outbox->Post([outbox, call, answer = std::move(answer)](Napi::Env there) {
      call->End(*outbox);
      if (answer) {
        call->Resolve(MakeValue(there, *answer));
      } else {
        call->Reject(Environment::Of(there).MakeError(there, answer.error()));
      }
    });
  });
}

}  // namespace vdpa::addon
