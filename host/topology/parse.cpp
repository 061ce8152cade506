// The schema of the topology file: its tables, its keys, and the allowed values.
#include <filesystem>
#include <limits>

#include "host/topology/document.hpp"
#include "host/topology/parse_run.hpp"
#include "host/topology/problems.hpp"
#include "host/topology/table_reader.hpp"
#include "host/topology/topology.hpp"

namespace skep::host {
namespace {

constexpr std::int64_t most_replicas = 10'000;
constexpr std::int64_t most_messages = 1'048'576;
constexpr std::size_t longest_name = 63;

bool is_name(std::string_view name) {
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz";
    constexpr std::string_view all = "abcdefghijklmnopqrstuvwxyz0123456789_-";
    return !name.empty() && name.size() <= longest_name &&
           letters.find(name.front()) != std::string_view::npos &&
           name.find_first_not_of(all) == std::string_view::npos;
}

std::optional<std::chrono::nanoseconds> any_span_of(TableReader& table, std::string_view key) {
    const auto found = table.duration(key);
    return found ? std::optional(found->value) : std::nullopt;
}

class TopologyParser {
public:
    TopologyParser(Topology& topology, const Environment& environment, Problems& problems)
        : topology_(topology),
          environment_(environment),
          problems_(problems) {}

    void parse(const TomlTable& root);

private:
    void parse_version(TableReader& root);
    void parse_host(const TomlTable& table);
    void parse_defaults(const TomlTable& table);
    void parse_named(TableReader& root,
                     const std::string& kind,
                     const std::function<void(const TomlMember&)>& parse);
    void parse_worker(const TomlMember& member);
    void parse_config(const TomlTable& table, TopologyWorker& worker);
    void parse_route(const TomlTable& table, const SourceSpan& span);
    void parse_schedule(const TomlTable& table, const SourceSpan& span);

    // Reports zero as an error.
    [[nodiscard]] std::optional<std::chrono::nanoseconds> span_of(TableReader& table,
                                                                  std::string_view key);

    [[nodiscard]] TableReader reader(const TomlTable& table,
                                     const SourceSpan& span,
                                     std::string where) {
        return TableReader(table, span, std::move(where), environment_, problems_);
    }

    Topology& topology_;
    const Environment& environment_;
    Problems& problems_;
};

void TopologyParser::parse(const TomlTable& root) {
    TableReader table = reader(root, {}, "the file");
    parse_version(table);
    if (auto name = table.word("name")) {
        topology_.name = std::move(name->value);
    }
    if (const TomlTable* const host = table.table("host")) {
        parse_host(*host);
    }
    if (const TomlTable* const defaults = table.table("defaults")) {
        parse_defaults(*defaults);
    }
    parse_named(table, "pool", [this](const TomlMember& member) {
        topology_.pools.push_back(parse_pool(member, environment_, problems_));
    });
    parse_named(table, "worker", [this](const TomlMember& member) { parse_worker(member); });
    table.each_table("route", [this](const TomlTable& route, const SourceSpan& span) {
        parse_route(route, span);
    });
    table.each_table("schedule", [this](const TomlTable& schedule, const SourceSpan& span) {
        parse_schedule(schedule, span);
    });
    topology_.unread.merge(table.finish());
}

// Parses the tables [kind.NAME].
void TopologyParser::parse_named(TableReader& root,
                                 const std::string& kind,
                                 const std::function<void(const TomlMember&)>& parse) {
    const TomlMember* const all = root.find(kind);
    if (all == nullptr) {
        return;
    }
    const auto* const named = std::get_if<TomlTable>(&all->node.value);
    if (named == nullptr) {
        root.expected(kind,
                      all->node,
                      "a table for each " + kind,
                      "write [" + kind + ".NAME] above each of them");
        return;
    }
    for (const TomlMember& member : named->members) {
        if (!is_name(member.key)) {
            problems_.error(
                member.key_span,
                "invalid " + kind + " name '" + member.key + "'",
                "a name has up to 63 characters from a-z, 0-9, '_' and '-', and starts with a "
                "letter");
        }
        parse(member);
    }
}

void TopologyParser::parse_version(TableReader& root) {
    if (root.require("version", "version = 1 at the top") == nullptr) {
        return;
    }
    constexpr std::int64_t any = std::numeric_limits<std::int64_t>::max();
    const auto version = root.integer("version", -any, any);
    if (version && version->value != 1) {
        problems_.error(version->span,
                        "unknown file format version " + std::to_string(version->value),
                        "this skep reads version 1");
    }
}

void TopologyParser::parse_host(const TomlTable& table) {
    TableReader host = reader(table, {}, "[host]");
    if (const TomlMember* const path = host.find("plugin_path")) {
        if (std::holds_alternative<TomlArray>(path->node.value)) {
            for (Located<std::string>& folder : host.words("plugin_path")) {
                topology_.plugin_path.push_back(std::move(folder.value));
            }
        } else {
            host.expected(
                "plugin_path", path->node, "an array of strings", "write [\"./plugins\"]");
        }
    }
    topology_.stop_grace = span_of(host, "stop_grace").value_or(topology_.stop_grace);
    topology_.probation = any_span_of(host, "probation").value_or(topology_.probation);
    if (const auto watch = host.boolean("watch")) {
        topology_.watch = watch->value;
    }
    topology_.unread.merge(host.finish());
}

std::optional<std::chrono::nanoseconds> TopologyParser::span_of(TableReader& table,
                                                                std::string_view key) {
    const auto found = table.duration(key);
    if (!found) {
        return std::nullopt;
    }
    if (found->value.count() == 0) {
        problems_.error(found->span, "'" + std::string(key) + "' must be longer than zero");
    }
    return found->value;
}

void TopologyParser::parse_defaults(const TomlTable& table) {
    TableReader defaults = reader(table, {}, "[defaults]");
    topology_.default_mailbox = defaults.integer("mailbox", 1, most_messages);
    topology_.default_queue = defaults.integer("queue", 1, most_messages);
    topology_.default_queue_bytes = defaults.size("queue_bytes");
    topology_.default_when_full = defaults.word("when_full");
    topology_.default_on_failure = defaults.word("on_failure");
    topology_.default_reload = defaults.word("reload");
    topology_.default_quiesce = span_of(defaults, "quiesce");
    defaults.finish();
}

void TopologyParser::parse_worker(const TomlMember& member) {
    TopologyWorker& worker = topology_.workers.emplace_back();
    worker.name = {member.key, member.key_span};
    worker.span = member.node.span;
    const auto* const table = std::get_if<TomlTable>(&member.node.value);
    if (table == nullptr) {
        problems_.error(
            member.node.span,
            "worker '" + member.key + "' expects a table, found " + describe(member.node),
            "give every worker a name and its own table: [worker.NAME]");
        return;
    }
    TableReader keys = reader(*table, member.node.span, "[worker." + member.key + "]");
    if (keys.require("plugin",
                     "plugin = \"...\", the name of the plugin or the path of its file") !=
        nullptr) {
        worker.plugin = keys.word("plugin");
    }
    worker.type = keys.word("type");
    worker.replicas = keys.integer("replicas", 1, most_replicas);
    worker.mailbox = keys.integer("mailbox", 1, most_messages);
    worker.queue_bytes = keys.size("queue_bytes");
    worker.on_failure = keys.word("on_failure");
    worker.reload = keys.word("reload");
    worker.quiesce = span_of(keys, "quiesce");
    worker.probation = any_span_of(keys, "probation");
    worker.stop_grace = span_of(keys, "stop_grace");
    if (const TomlTable* const run =
            keys.table("run", "write run = { cpus = [0] } or run = { pool = \"NAME\" }")) {
        worker.run = parse_run(*run,
                               keys.find("run")->node.span,
                               "[worker." + member.key + ".run]",
                               environment_,
                               problems_);
    }
    if (const TomlTable* const config = keys.table("config")) {
        parse_config(*config, worker);
    }
    worker.unread = keys.finish("; parameters go into 'config'");
}

void TopologyParser::parse_config(const TomlTable& table, TopologyWorker& worker) {
    for (const TomlMember& member : table.members) {
        ConfigEntry entry;
        entry.key_span = member.key_span;
        entry.value_span = member.node.span;
        if (const auto* string = std::get_if<TomlString>(&member.node.value)) {
            if (auto read = read_string(*string, member.node.span, environment_, problems_);
                read && !is_cut_by_null(
                            read->text,
                            "parameter '" + member.key + "' of worker '" + worker.name.value + "'",
                            member.node.span,
                            problems_)) {
                entry.value = std::move(read->text);
                entry.interpolated = read->interpolated;
            }
        } else if (const auto* integer = std::get_if<std::int64_t>(&member.node.value)) {
            entry.value = *integer;
        } else if (const auto* number = std::get_if<double>(&member.node.value)) {
            entry.value = *number;
        } else if (const auto* boolean = std::get_if<bool>(&member.node.value)) {
            entry.value = *boolean;
        } else {
            problems_.error(member.node.span,
                            "parameter '" + member.key + "' of worker '" + worker.name.value +
                                "' is " + describe(member.node),
                            "a parameter is a string, an integer, a float or a boolean");
        }
        worker.config.emplace(member.key, std::move(entry));
    }
}

void TopologyParser::parse_route(const TomlTable& table, const SourceSpan& span) {
    TableReader keys = reader(table, span, "[[route]]");
    TopologyRoute route;
    route.span = span;
    if (keys.require("from", "from = \"worker.output\"") != nullptr) {
        route.from = keys.words("from");
    }
    if (keys.require("to", "to = \"worker\"") != nullptr) {
        route.to = keys.words("to");
    }
    route.queue = keys.integer("queue", 1, most_messages);
    route.when_full = keys.word("when_full");
    route.spread = keys.word("spread");
    route.share_core = keys.boolean("share_core");
    keys.finish();
    topology_.routes.push_back(std::move(route));
}

void TopologyParser::parse_schedule(const TomlTable& table, const SourceSpan& span) {
    TableReader keys = reader(table, span, "[[schedule]]");
    TopologySchedule entry;
    entry.span = span;
    if (keys.require("at", "at = \"5s\", the time after the start") != nullptr) {
        entry.at = keys.duration("at").value_or(entry.at);
    }
    if (keys.require("action",
                     "action = \"pause\", \"resume\", \"send\", \"broadcast\" or \"stop\"") !=
        nullptr) {
        entry.action = keys.word("action");
    }
    entry.worker = keys.word("worker");
    entry.message = keys.text("message");
    entry.unread = keys.finish();
    topology_.schedule.push_back(std::move(entry));
}

// Returns a topology about which nothing is known, not even whether it has workers.
Topology unreadable(std::string source, std::string file, Diagnostics errors) {
    Topology topology;
    topology.file = std::move(file);
    topology.source = std::move(source);
    topology.unread = {{"worker", 0}};
    topology.errors = std::move(errors);
    return topology;
}

}  // namespace

Topology parse_topology(std::string source, std::string file, const Environment& environment) {
    const Result<TomlTable> document = parse_toml(source, file);
    if (!document) {
        return unreadable(std::move(source), std::move(file), document.error());
    }
    Topology topology;
    topology.name = std::filesystem::path(file).stem().string();
    topology.file = std::move(file);
    topology.source = std::move(source);
    Problems problems(topology.file);
    TopologyParser(topology, environment, problems).parse(*document);
    topology.errors = problems.errors();
    return topology;
}

Topology read_topology(const std::string& file, const Environment& environment, PipeUse pipes) {
    Result<std::string> source = read_file(file, pipes);
    return source ? parse_topology(std::move(*source), file, environment)
                  : unreadable("", file, std::move(source.error()));
}

}  // namespace skep::host
