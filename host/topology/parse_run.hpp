// The schema of what says where threads run: the `run` of a worker, and [pool.NAME]. For the parser
// of the topology only.
#pragma once

#include "host/topology/table_reader.hpp"

namespace skep::host {

// `where` names the table for people: "[worker.a.run]".
[[nodiscard]] TopologyRun parse_run(const TomlTable& table,
                                    const SourceSpan& span,
                                    std::string where,
                                    const Environment& environment,
                                    Problems& problems);

// A member of [pool] under a good name.
[[nodiscard]] TopologyPool parse_pool(const TomlMember& member,
                                      const Environment& environment,
                                      Problems& problems);

}  // namespace skep::host
