#include "host/manager/instance_disposal.hpp"

#include <utility>

#include "host/worker/thread_census.hpp"

namespace skep::host {

void InstanceDisposal::destroy_later(PendingInstance pending) {
    const auto shared = std::make_shared<PendingInstance>(std::move(pending));
    helpers_.run([shared] { return "worker '" + shared->worker + "' in destroy"; },
                 [shared] {
                     name_this_thread(shared->worker, shared->instance->generation());
                     if (shared->place.thread != nullptr) {
                         shared->place.thread->end();
                     }
                     shared->instance->destroy();
                 },
                 [this, shared] {
                     shared->instance.reset();
                     shared->owner.reset();
                     libraries_.close_unused();
                 });
}

}  // namespace skep::host
