#include "host/topology/parse_run.hpp"

namespace skep::host {
namespace {

constexpr std::int64_t highest_cpu = 8191;  // no kernel supports more
constexpr std::int64_t most_threads = 1024;

std::vector<Located<std::int64_t>> parse_cpus(TableReader& keys) {
    return keys.integers("cpus", 0, highest_cpu);
}

std::optional<Located<std::int64_t>> parse_nice(TableReader& keys) {
    return keys.integer("nice", -20, 19);
}

}  // namespace

TopologyRun parse_run(const TomlTable& table,
                      const SourceSpan& span,
                      std::string where,
                      const Environment& environment,
                      Problems& problems) {
    TableReader keys(table, span, std::move(where), environment, problems);
    TopologyRun run;
    run.pool = keys.word("pool");
    run.cpus = parse_cpus(keys);
    run.nice = parse_nice(keys);
    run.policy = keys.word("policy");
    run.priority = keys.integer("priority", 1, 99);
    const bool has_pool = keys.find("pool") != nullptr;
    const std::string table_of_pool = run.pool ? "[pool." + run.pool->value + "]" : "[pool.NAME]";
    for (const char* const key : {"cpus", "nice", "policy", "priority"}) {
        const TomlMember* const member = keys.find(key);
        if (!has_pool || member == nullptr) {
            continue;
        }
        const bool goes_with_pool = member->key == "cpus" || member->key == "nice";
        problems.error(member->key_span,
                       "cannot combine '" + member->key + "' with 'pool'",
                       goes_with_pool
                           ? "it belongs to the threads of the pool: move it to " + table_of_pool
                           : "only a worker with its own thread can have it: remove it, or "
                             "remove 'pool'");
    }
    run.unread = keys.finish();
    return run;
}

TopologyPool parse_pool(const TomlMember& member,
                        const Environment& environment,
                        Problems& problems) {
    TopologyPool pool;
    pool.name = {member.key, member.key_span};
    pool.span = member.node.span;
    const auto* const table = std::get_if<TomlTable>(&member.node.value);
    if (table == nullptr) {
        problems.error(member.node.span,
                       "pool '" + member.key + "' expects a table, found " + describe(member.node),
                       "give every pool a name and its own table: [pool.NAME]");
        return pool;
    }
    TableReader keys(*table, member.node.span, "[pool." + member.key + "]", environment, problems);
    pool.threads = keys.integer("threads", 1, most_threads);
    pool.cpus = parse_cpus(keys);
    pool.nice = parse_nice(keys);
    keys.finish();
    return pool;
}

}  // namespace skep::host
