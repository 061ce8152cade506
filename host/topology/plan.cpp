// The planner. It counts the workers, finds their plugins, and then plans pools, workers, routes,
// shared cores and the schedule, in this order. Each step collects its errors and continues.
#include "host/topology/plan.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "host/base/assert.hpp"
#include "host/base/contains.hpp"
#include "host/topology/planning.hpp"

namespace skep::host {
namespace {

constexpr Words<OnFailure, 2> on_failure_words = {{
    {"stop_host", OnFailure::stop_host},
    {"isolate", OnFailure::isolate},
}};

constexpr Words<OnReload, 2> reload_words = {{
    {"swap", OnReload::swap},
    {"never", OnReload::never},
}};

constexpr Words<ScheduleAction, 5> action_words = {{
    {"pause", ScheduleAction::pause},
    {"resume", ScheduleAction::resume},
    {"send", ScheduleAction::send},
    {"broadcast", ScheduleAction::broadcast},
    {"stop", ScheduleAction::stop},
}};

class Planner {
public:
    Planner(const Topology& topology, const FindPlugin& find_plugin, const ProcessLimits& limits)
        : topology_(topology),
          find_plugin_(find_plugin),
          limits_(limits),
          problems_(topology.file, topology.errors) {}

    Result<Planned> plan();

private:
    [[nodiscard]] bool count_workers();
    void find_plugins();
    [[nodiscard]] const FoundPlugin* find_plugin(const Located<std::string>& plugin);
    [[nodiscard]] bool may_be_elsewhere(const std::string& plugin) const;
    [[nodiscard]] const WorkerTypeInfo* find_type(const TopologyWorker& worker,
                                                  const PluginInfo& plugin);
    void plan_workers();
    void plan_schedule();
    void plan_action(const TopologySchedule& written, std::optional<ScheduleAction> action);
    [[nodiscard]] bool check_action(const TopologySchedule& written, ScheduleAction action);
    [[nodiscard]] bool has_room_for(const TopologySchedule& written, std::size_t actions);

    const Topology& topology_;
    const FindPlugin& find_plugin_;
    const ProcessLimits& limits_;
    Problems problems_;
    std::vector<std::string> search_;
    std::map<std::string, Result<FoundPlugin>> found_;  // by the name in the file
    NamedWorkers workers_;
    Plan plan_;
    bool has_too_many_actions_ = false;
};

Result<Planned> Planner::plan() {
    plan_.name = topology_.name;
    plan_.stop_grace = topology_.stop_grace;
    plan_.probation = topology_.probation;
    plan_.watch = topology_.watch;
    if (topology_.workers.empty() && topology_.unread.count("worker") == 0) {
        problems_.error(
            {}, "the file has no worker", "add a table [worker.NAME] with plugin = \"...\"");
    }
    search_ = plugin_folders(topology_);
    if (!count_workers()) {
        return failure(problems_.errors());
    }
    find_plugins();
    plan_.pools = plan_pools(topology_);
    plan_workers();
    PlannedRoutes routes = plan_routes(topology_, workers_, problems_);
    plan_.routes = std::move(routes.edges);
    plan_cores(routes.shared_cores, plan_.workers, problems_);
    plan_schedule();
    if (problems_.has_errors()) {
        return failure(problems_.errors());
    }
    warn_about_routes(workers_, routes.links, problems_);
    warn_about_runs(topology_, limits_, problems_);
    return Planned{std::move(plan_), problems_.warnings()};
}

std::size_t replicas_of(const TopologyWorker& worker) {
    return worker.replicas ? static_cast<std::size_t>(worker.replicas->value) : 1;
}

// Returns false when the topology has more workers than a plan may have. The planner then skips all
// other checks.
bool Planner::count_workers() {
    std::size_t count = 0;
    for (const TopologyWorker& worker : topology_.workers) {
        count += replicas_of(worker);
        if (count > most_workers) {
            problems_.error(worker.replicas ? worker.replicas->span : worker.span,
                            "worker '" + worker.name.value +
                                "' raises the number of workers above " +
                                std::to_string(most_workers),
                            "each replica is a worker; use fewer replicas");
            return false;
        }
    }
    return true;
}

void Planner::find_plugins() {
    for (const TopologyWorker& written : topology_.workers) {
        NamedWorker worker;
        worker.written = &written;
        const FoundPlugin* const plugin = written.plugin ? find_plugin(*written.plugin) : nullptr;
        if (plugin != nullptr) {
            worker.type = find_type(written, *plugin->info);
        }
        const std::size_t replicas = replicas_of(written);
        for (std::size_t i = 0; replicas > 1 && i < replicas; ++i) {
            worker.replicas.push_back(written.name.value + "#" + std::to_string(i));
        }
        if (replicas == 1) {
            worker.replicas.push_back(written.name.value);
        }
        workers_.push_back(std::move(worker));
    }
}

const FoundPlugin* Planner::find_plugin(const Located<std::string>& plugin) {
    auto entry = found_.find(plugin.value);
    if (entry == found_.end()) {
        entry = found_.emplace(plugin.value, find_plugin_(plugin.value, search_)).first;
    }
    const Result<FoundPlugin>& found = entry->second;
    if (found) {
        SKEP_ASSERT(found->info != nullptr);
        return &*found;
    }
    if (!may_be_elsewhere(plugin.value)) {
        for (const Diagnostic& diagnostic : found.error()) {
            problems_.error(plugin.span, diagnostic.message, diagnostic.hint);
        }
    }
    return nullptr;
}

// Returns true if the plugin is given by name and some folders to search could not be read from the
// file.
bool Planner::may_be_elsewhere(const std::string& plugin) const {
    return plugin.find('/') == std::string::npos &&
           topology_.unread.count("host") + topology_.unread.count("plugin_path") > 0;
}

const WorkerTypeInfo* Planner::find_type(const TopologyWorker& worker, const PluginInfo& plugin) {
    std::vector<std::string> known;
    for (const WorkerTypeInfo& type : plugin.types) {
        known.push_back(type.name);
        if (worker.type && worker.type->value == type.name) {
            return &type;
        }
    }
    const std::string subject = "plugin '" + worker.plugin->value + "' has ";
    if (worker.type) {
        problems_.error(worker.type->span,
                        subject + "no worker type '" + worker.type->value + "'",
                        suggestion(worker.type->value, known, "type"));
    } else if (plugin.types.size() == 1) {
        return &plugin.types.front();
    } else if (worker.unread.count("type") == 0) {
        problems_.error(worker.plugin->span,
                        subject + "several worker types, but the worker names none",
                        "add type = \"...\"; the types are " + list_of(known));
    }
    return nullptr;
}

void Planner::plan_workers() {
    const OnFailure default_on_failure = parse_word(topology_.default_on_failure,
                                                    "on_failure",
                                                    on_failure_words,
                                                    OnFailure::stop_host,
                                                    problems_);
    const OnReload default_reload =
        parse_word(topology_.default_reload, "reload", reload_words, OnReload::swap, problems_);
    std::set<std::string_view> pools;
    for (const TopologyPool& pool : topology_.pools) {
        pools.insert(pool.name.value);
    }
    for (const NamedWorker& worker : workers_) {
        const TopologyWorker& written = *worker.written;
        WorkerPlan planned;
        if (written.mailbox) {
            planned.mailbox = static_cast<std::size_t>(written.mailbox->value);
        } else if (topology_.default_mailbox) {
            planned.mailbox = static_cast<std::size_t>(topology_.default_mailbox->value);
        }
        if (const auto& bytes =
                written.queue_bytes ? written.queue_bytes : topology_.default_queue_bytes) {
            planned.queue_bytes = static_cast<std::uint64_t>(bytes->value);
        }
        planned.on_failure = parse_word(
            written.on_failure, "on_failure", on_failure_words, default_on_failure, problems_);
        planned.reload =
            parse_word(written.reload, "reload", reload_words, default_reload, problems_);
        planned.quiesce = written.quiesce ? written.quiesce : topology_.default_quiesce;
        planned.probation = written.probation;
        planned.stop_grace = written.stop_grace;
        planned.run = plan_run(worker, topology_, pools, problems_);
        if (worker.type == nullptr) {
            continue;
        }
        const FoundPlugin& plugin = *found_.at(written.plugin->value);
        planned.plugin_path = plugin.path;
        planned.plugin_libraries = plugin.info->libraries;
        planned.plugin_content = plugin.info->content;
        planned.type = worker.type->name;
        std::tie(planned.config, planned.live) = plan_config(written, *worker.type, problems_);
        for (const std::string& name : worker.replicas) {
            planned.name = name;
            plan_.workers.push_back(planned);
        }
    }
}

void Planner::plan_schedule() {
    for (const TopologySchedule& written : topology_.schedule) {
        std::optional<ScheduleAction> action;
        if (written.action) {
            action = parse_word(*written.action, "action", action_words, problems_);
        }
        plan_action(written, action);
    }
    std::stable_sort(plan_.schedule.begin(),
                     plan_.schedule.end(),
                     [](const SchedulePlan& a, const SchedulePlan& b) { return a.at < b.at; });
}

// Plans one entry of the schedule. Without an action (an error that has been reported) it still
// finds other errors.
void Planner::plan_action(const TopologySchedule& written, std::optional<ScheduleAction> action) {
    std::optional<WorkerRef> ref;
    if (written.worker && action != ScheduleAction::broadcast) {
        ref = resolve_worker(
            written.worker->value, written.worker->span, topology_, workers_, problems_);
    }
    if (!action || !check_action(written, *action) || (written.worker && !ref)) {
        return;
    }
    SchedulePlan planned{
        written.at.value, *action, "", written.message ? written.message->value : ""};
    if (!has_room_for(written, ref ? ref->replicas.size() : 1)) {
        return;
    }
    if (!ref) {
        plan_.schedule.push_back(std::move(planned));
        return;
    }
    for (const std::string& receiver : ref->replicas) {
        planned.worker = receiver;
        plan_.schedule.push_back(planned);
    }
}

// Counts each replica of a worker as one action. Reports too many actions only once.
bool Planner::has_room_for(const TopologySchedule& written, std::size_t actions) {
    if (has_too_many_actions_) {
        return false;
    }
    has_too_many_actions_ = actions > most_actions - plan_.schedule.size();
    if (has_too_many_actions_) {
        problems_.error(written.span,
                        "this entry raises the number of schedule actions above " +
                            std::to_string(most_actions),
                        "an entry for a worker is an action for each of its replicas; use fewer "
                        "entries, or name one replica");
    }
    return !has_too_many_actions_;
}

// Checks which of the keys `worker` and `message` the action takes.
bool Planner::check_action(const TopologySchedule& written, ScheduleAction action) {
    const bool needs_worker = action == ScheduleAction::pause || action == ScheduleAction::resume ||
                              action == ScheduleAction::send;
    const bool takes_worker = needs_worker || action == ScheduleAction::stop;
    const bool needs_message =
        action == ScheduleAction::send || action == ScheduleAction::broadcast;
    const std::string subject = "action '" + written.action->value + "' ";
    bool good = true;
    const auto wrong = [&](const SourceSpan& span, const char* what, const char* hint) {
        problems_.error(span, subject + what, hint);
        good = false;
    };
    if (needs_worker && !written.worker && written.unread.count("worker") == 0) {
        wrong(written.action->span, "needs a worker", "add worker = \"NAME\"");
    }
    if (!takes_worker && written.worker) {
        wrong(written.worker->span,
              "takes no worker",
              "a broadcast goes to every worker; use 'send' to reach one");
    }
    if (needs_message && !written.message && written.unread.count("message") == 0) {
        wrong(written.action->span, "needs a message", "add message = \"...\"");
    }
    if (!needs_message && written.message) {
        wrong(written.message->span, "takes no message", "remove it, or use 'send' or 'broadcast'");
    }
    return good;
}

}  // namespace

std::optional<WorkerRef> resolve_worker(std::string_view name,
                                        const SourceSpan& span,
                                        const Topology& topology,
                                        NamedWorkers& workers,
                                        Problems& problems) {
    const std::string base(name.substr(0, name.find('#')));
    const std::optional<std::size_t> index = workers.find(base);
    if (!index) {
        // An invalid name may contain what ends a name here: "[worker.'web.parse']".
        const bool may_be_cut =
            workers.any_starts_with(base + ".") || workers.any_starts_with(base + "#");
        if (workers.empty() || may_be_cut || topology.unread.count("worker") > 0) {
            return {};
        }
        problems.error(
            span, "unknown worker '" + std::string(name) + "'", workers.suggestion_for(name));
        return {};
    }
    const NamedWorker& worker = workers[*index];
    const std::vector<std::string>& replicas = worker.replicas;
    if (name == base) {
        return WorkerRef{*index, replicas};
    }
    // The number of replicas may be the value that could not be read.
    if (worker.written->unread.count("replicas") > 0) {
        return WorkerRef{*index, workers.keep(name)};
    }
    const std::string_view number = name.substr(base.size() + 1);
    std::size_t replica = replicas.size();
    std::from_chars(number.data(), number.data() + number.size(), replica);
    if (replica < replicas.size() && replicas[replica] == name) {
        return WorkerRef{*index, std::span(&replicas[replica], 1)};
    }
    problems.error(span,
                   "worker '" + base + "' has no replica '" + std::string(name) + "'",
                   replicas.size() == 1 ? "it has no replicas: write '" + base + "'"
                                        : "its replicas are '" + replicas.front() + "' to '" +
                                              replicas.back() + "'");
    return {};
}

const WorkerPlan* Plan::find(std::string_view worker) const {
    const auto found = std::find_if(workers.begin(), workers.end(), [&](const WorkerPlan& plan) {
        return plan.name == worker;
    });
    return found == workers.end() ? nullptr : &*found;
}

const PoolPlan* Plan::find_pool(std::string_view pool) const {
    const auto found = std::find_if(
        pools.begin(), pools.end(), [&](const PoolPlan& plan) { return plan.name == pool; });
    return found == pools.end() ? nullptr : &*found;
}

std::vector<std::string> plugin_folders(const Topology& topology) {
    std::vector<std::string> folders;
    const auto base = std::filesystem::path(topology.file).parent_path();
    for (const std::string& path : topology.plugin_path) {
        folders.push_back((base / path).lexically_normal().string());
    }
    return folders;
}

Result<Planned> make_plan(const Topology& topology,
                          const FindPlugin& find_plugin,
                          const ProcessLimits& limits) {
    return Planner(topology, find_plugin, limits).plan();
}

}  // namespace skep::host
