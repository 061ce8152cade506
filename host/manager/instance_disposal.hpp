// Destroys instances that are no longer used, on helper threads, and closes their libraries then.
// [manager-thread]
#pragma once

#include <memory>
#include <string>

#include "host/manager/helper_threads.hpp"
#include "host/manager/library_cache.hpp"
#include "host/worker/worker.hpp"

namespace skep::host {

// A successor to create or an instance to destroy, with its place if the place is its own. Its
// worker outlives it.
struct PendingInstance {
    std::string worker;
    std::shared_ptr<Worker> owner;
    std::unique_ptr<Instance> instance;
    WorkerPlace place;
    Placement placement;  // of its thread
    std::string error;    // why its creation failed
};

class InstanceDisposal {
public:
    // Both must outlive this object.
    InstanceDisposal(HelperThreads& helpers, LibraryCache& libraries)
        : helpers_(helpers),
          libraries_(libraries) {}

    // The thread of the instance ends first, because destructors of its thread_locals may still
    // need the instance.
    void destroy_later(PendingInstance pending);

private:
    HelperThreads& helpers_;
    LibraryCache& libraries_;
};

}  // namespace skep::host
