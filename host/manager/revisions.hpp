// Opens the libraries of workers, and lists them. [manager-thread]
#pragma once

#include <memory>
#include <vector>

#include "host/manager/library_cache.hpp"
#include "host/manager/worker_table.hpp"

namespace skep::host {

// Opens the plugin that the plan of a worker names.
[[nodiscard]] Answer<Revision> open_revision(LibraryCache& libraries,
                                             std::shared_ptr<const WorkerPlan> plan);
// The same for the plan of an entry, unless its library is open.
[[nodiscard]] Answer<Done> open_library(LibraryCache& libraries, WorkerEntry& entry);

// Returns the libraries by path, then the newest first.
[[nodiscard]] std::vector<LibraryUse> uses_of(const LibraryCache& libraries,
                                              const WorkerTable& table,
                                              Loader& loader);

}  // namespace skep::host
