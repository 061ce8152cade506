#include "host/cli/steer.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <sstream>

#include <nlohmann/json.hpp>
#include <spdlog/fmt/fmt.h>

#include "host/base/printable.hpp"
#include "host/base/table.hpp"
#include "host/control/explain.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

// Returns the value of a key, escaped because the text must not act on the terminal. "" if the key
// is missing or null.
std::string text_at(const Json& json, const char* key) {
    const auto found = json.find(key);
    if (found == json.end() || found->is_null()) {
        return "";
    }
    return found->is_string() ? escaped(found->get<std::string>()) : found->dump();
}

const Json& object_at(const Json& json, const char* key) {
    static const Json none = Json::object();
    const auto found = json.find(key);
    return found != json.end() && found->is_object() ? *found : none;
}

Json parsed(const std::string& body) {
    Json json = Json::parse(body, nullptr, false);
    return json.is_object() ? json : Json::object();
}

std::string cpu_text(const Json& worker) {
    const auto cpu = std::chrono::nanoseconds(worker.value("cpu_ns", std::int64_t(0)));
    return fmt::format("{:.3f}s", std::chrono::duration<double>(cpu).count());
}

Json workers_of(const HostAnswer& answer) {
    Json json = parsed(answer.body);
    const auto found = json.find("workers");
    return found != json.end() && found->is_array() ? std::move(*found) : Json::array();
}

// Calls `act` for each worker of the response. Keeps only one worker in memory, because a host may
// have 100,000.
void for_each_worker(const HostAnswer& answer, const std::function<void(const Json&)>& act) {
    constexpr int depth_of_a_worker = 2;  // {"workers":[{...},...]}
    const Json rest = Json::parse(
        answer.body,
        [&](int depth, Json::parse_event_t event, Json& value) {
            const bool is_worker =
                event == Json::parse_event_t::object_end && depth == depth_of_a_worker;
            if (is_worker) {
                act(value);
            }
            return !is_worker;
        },
        false);
}

// Returns "2, 1 rolled back; the last in 4.1 us, with 120 bytes of state", or "".
std::string swaps_text(const Json& worker) {
    const auto swaps = worker.value("swaps", std::uint64_t{0});
    if (swaps == 0) {
        return "";
    }
    const auto rollbacks = worker.value("rollbacks", std::uint64_t{0});
    const Json& last = object_at(worker, "last_swap");
    const std::chrono::nanoseconds blackout(last.value("blackout_ns", std::int64_t{0}));
    return fmt::format("{}{}; the last in {:.1f} us, with {} bytes of state",
                       swaps,
                       rollbacks == 0 ? "" : fmt::format(", {} rolled back", rollbacks),
                       std::chrono::duration<double, std::micro>(blackout).count(),
                       last.value("state_bytes", std::uint64_t{0}));
}

// Returns a line "  name    value" for each fact that has a value.
std::string facts_text(const std::vector<std::vector<std::string>>& facts) {
    std::vector<std::vector<std::string>> rows;
    for (const std::vector<std::string>& fact : facts) {
        if (!fact.back().empty()) {
            rows.push_back({" " + fact.front(), fact.back()});
        }
    }
    return table_text(rows);
}

std::string flow_text(const Json& flow) {
    std::string text;
    for (const auto& [name, count] : flow.items()) {
        std::string words = name;
        std::replace(words.begin(), words.end(), '_', ' ');
        text += (text.empty() ? "" : ", ") + escaped(words) + " " + count.dump();
    }
    return text;
}

// Returns "no route 3, misuse 1" for the counts that are not 0.
std::string rejected_text(const Json& counts) {
    Json some = Json::object();
    for (const auto& [reason, count] : counts.items()) {
        if (count != 0) {
            some[reason] = count;
        }
    }
    return flow_text(some);
}

}  // namespace

std::string lines_text(const std::string& text) {
    std::string safe;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        safe += escaped(line) + "\n";
    }
    return safe;
}

std::string ps_text(const std::vector<HostAnswer>& answers) {
    std::vector<std::vector<std::string>> rows = {{"HOST",
                                                   "WORKER",
                                                   "STATUS",
                                                   "STATE",
                                                   "RUN",
                                                   "IN",
                                                   "OUT",
                                                   "QUEUED",
                                                   "ITEMS",
                                                   "ERRORS",
                                                   "CPU"}};
    for (const HostAnswer& answer : answers) {
        for_each_worker(answer, [&](const Json& worker) {
            const Json& in = object_at(worker, "in");
            rows.push_back({answer.host,
                            text_at(worker, "name"),
                            text_at(worker, "status"),
                            text_at(worker, "state"),
                            text_at(worker, "generation"),
                            text_at(in, "delivered"),
                            text_at(worker, "out"),
                            text_at(in, "queued"),
                            text_at(worker, "items"),
                            text_at(worker, "errors"),
                            cpu_text(worker)});
        });
    }
    return table_text(rows);
}

std::string ps_json(const std::vector<HostAnswer>& answers) {
    Json hosts = Json::array();
    for (const HostAnswer& answer : answers) {
        hosts.push_back({{"host", answer.host}, {"workers", workers_of(answer)}});
    }
    const Json all = {{"hosts", std::move(hosts)}};
    return all.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string host_text(const std::string& body) {
    const Json host = parsed(body);
    if (host.empty()) {
        return "";
    }
    std::string workers;
    for (const auto& [status, count] : object_at(host, "workers").items()) {
        if (count != 0) {
            workers += (workers.empty() ? "" : ", ") + count.dump() + " " + status;
        }
    }
    const auto uptime = std::chrono::milliseconds(host.value("uptime_ms", std::int64_t(0)));
    return text_at(host, "name") + "\n" +
           facts_text({{"topology", text_at(host, "file")},
                       {"process", text_at(host, "pid")},
                       {"skep", text_at(host, "version")},
                       {"runs for", span_text(uptime)},
                       {"workers", workers},
                       {"messages", flow_text(object_at(host, "accounting"))}});
}

std::string worker_text(const std::string& body) {
    const Json worker = parsed(body);
    if (worker.empty()) {
        return "";
    }
    const std::string status = text_at(worker, "status");
    const std::string state = text_at(worker, "state");
    return text_at(worker, "name") + "\n" +
           facts_text({{"status", status == state ? status : status + " (" + state + ")"},
                       {"error", text_at(worker, "error")},
                       {"plugin", text_at(worker, "plugin")},
                       {"type", text_at(worker, "type")},
                       {"run", text_at(worker, "generation")},
                       {"swaps", swaps_text(worker)},
                       {"started", text_at(worker, "started")},
                       {"ended", text_at(worker, "ended")},
                       {"cpu", cpu_text(worker)},
                       {"items", text_at(worker, "items")},
                       {"errors", text_at(worker, "errors")},
                       {"in", flow_text(object_at(worker, "in"))},
                       {"out", text_at(worker, "out")},
                       {"out rejected", rejected_text(object_at(worker, "out_rejected"))},
                       {"queue high", text_at(worker, "queue_high")}});
}

std::string explanation_text(const std::string& body) {
    const Json it = parsed(body);
    if (it.empty()) {
        return "";
    }
    std::string text =
        text_at(it, "worker") + " is " + text_at(it, "state") + ": " + text_at(it, "why") + "\n";
    if (const auto also = it.find("also"); also != it.end() && also->is_array()) {
        for (const Json& line : *also) {
            text += "  - " + escaped(line.is_string() ? line.get<std::string>() : "") + "\n";
        }
    }
    const std::string advice = text_at(it, "advice");
    return advice.empty() ? text : text + "try: " + advice + "\n";
}

std::string plan_text(const std::string& body) {
    const Json json = parsed(body);
    if (json.empty()) {
        return "";
    }
    std::vector<std::vector<std::string>> rows = {{"CHANGE", "WORKER"}};
    for (const char* const change : {"swap", "reconfigure", "start", "stop"}) {
        for (const Json& worker : json.value(change, Json::array())) {
            rows.push_back({change, worker.is_string() ? escaped(worker.get<std::string>()) : ""});
        }
    }
    for (const Json& worker : json.value("state_ends", Json::array())) {
        rows.push_back(
            {"state ends", worker.is_string() ? escaped(worker.get<std::string>()) : ""});
    }
    for (const char* const change : {"rewire", "settings"}) {
        if (json.value(change, false)) {
            rows.push_back({change, ""});
        }
    }
    rows.push_back({"stay", std::to_string(json.value("stay", 0))});
    return table_text(rows);
}

std::string generations_text(const std::string& body) {
    const Json json = parsed(body);
    if (json.empty()) {
        return "";
    }
    constexpr std::size_t hash_shown = 12;
    std::vector<std::vector<std::string>> rows = {
        {"PLUGIN", "VERSION", "BUILD ID", "HASH", "AGE", "STATE", "WORKERS", "WHY"}};
    for (const Json& it : json.value("generations", Json::array())) {
        std::string workers;
        for (const Json& worker : it.value("workers", Json::array())) {
            const std::string name = worker.is_string() ? worker.get<std::string>() : "";
            workers += (workers.empty() ? "" : ", ") + escaped(name);
        }
        const auto age = std::chrono::milliseconds(it.value("age_ms", std::int64_t{0}));
        const auto pinned = it.value("pinned_bytes", std::int64_t{0});
        rows.push_back({text_at(it, "plugin"),
                        text_at(it, "version"),
                        text_at(it, "build_id").substr(0, hash_shown),
                        text_at(it, "hash").substr(0, hash_shown),
                        span_text(age),
                        text_at(it, "state"),
                        workers,
                        text_at(it, "why") +
                            (pinned > 0 ? " (" + std::to_string(pinned / 1024) + " KiB)" : "")});
    }
    return table_text(rows);
}

std::string verdict_text(const std::string& body) {
    const Json json = parsed(body);
    if (json.empty()) {
        return "";
    }
    const std::uint64_t number = json.value("number", std::uint64_t{0});
    const std::uint64_t run = json.value("run", number);
    return lines_text(
        json.value("kind", "reload") + " #" + std::to_string(number) +
        (run == number ? "" : " (merged into #" + std::to_string(run) + ")") + ": " +
        (json.value("final", true) ? json.value("verdict", "") : "in force, on probation") + ": " +
        json.value("text", ""));
}

std::string tap_text(const std::string& lines) {
    std::string text;
    std::istringstream each(lines);
    for (std::string line; std::getline(each, line);) {
        const Json it = parsed(line);
        if (it.empty()) {
            continue;
        }
        if (it.contains("skipped")) {
            text += "... " + text_at(it, "skipped") + " more\n";
            continue;
        }
        const std::string output = text_at(it, "output");
        const std::chrono::duration<double, std::milli> age =
            std::chrono::nanoseconds(it.value("age_ns", std::int64_t{0}));
        const auto size = it.value("size", std::uint64_t{0});
        const bool is_hex = it.contains("hex");
        const std::string shown = text_at(it, is_hex ? "hex" : "text");
        const bool is_cut = size > (is_hex ? shown.size() / 2 : it.value("text", "").size());
        text += fmt::format("{}{} -> {} #{} ({:.3f}ms{}): {}{}{}\n",
                            text_at(it, "from").empty() ? "the host" : text_at(it, "from"),
                            output.empty() ? "" : "." + output,
                            text_at(it, "to"),
                            text_at(it, "sequence"),
                            age.count(),
                            it.value("failed", false) ? ", failed" : "",
                            is_hex ? "0x" : "",
                            shown,
                            is_cut ? fmt::format("... ({} bytes)", size) : "");
    }
    return text;
}

}  // namespace skep::host
