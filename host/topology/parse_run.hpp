// The schema of the tables that place threads: `run` of a worker, and [pool.NAME]. Only the
// topology parser includes this header.
#pragma once

#include "host/topology/table_reader.hpp"

namespace skep::host {

// `where` names the table in messages: "[worker.a.run]".
[[nodiscard]] TopologyRun parse_run(const TomlTable& table,
                                    const SourceSpan& span,
                                    std::string where,
                                    const Environment& environment,
                                    Problems& problems);

// Parses a member of [pool]. Its name is valid.
[[nodiscard]] TopologyPool parse_pool(const TomlMember& member,
                                      const Environment& environment,
                                      Problems& problems);

}  // namespace skep::host
