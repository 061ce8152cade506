#include "host/daemon/audit.hpp"

#include <cerrno>
#include <chrono>
#include <utility>

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include "host/base/time_text.hpp"
#include "host/daemon/verdict_json.hpp"

namespace skep::host {
namespace {

using Json = nlohmann::ordered_json;

// Returns a line: the members that every line has, then `more`.
std::string line_of(const std::string& host, std::string_view event, const Json& more) {
    Json line = {
        {"time", time_text(std::chrono::system_clock::now())}, {"host", host}, {"event", event}};
    line.update(more);
    return line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Result<std::unique_ptr<Audit>, std::string> Audit::open(const std::string& file, std::string host) {
    int fd = -1;
    if (!file.empty()) {
        // O_NONBLOCK: the manager must not wait for the reader of a FIFO or a terminal.
        fd = ::open(
            file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
        if (fd < 0 && errno == ENXIO) {
            return Unexpected<std::string>("it is a socket, or a pipe without a reader");
        }
        if (fd < 0) {
            return Unexpected<std::string>(error_text(errno));
        }
    }
    return std::unique_ptr<Audit>(new Audit(fd, std::move(host)));
}

void Audit::verdict(const Verdict& verdict) {
    Json more = {{"number", verdict.number}, {"who", verdict.who}};
    if (verdict.request.loss == StateLoss::accepted) {
        more["discard_state"] = true;
    }
    if (verdict.run != verdict.number) {
        more["verdict"] = "merged";
        more["into"] = verdict.run;
    } else {
        more["verdict"] = name_of(verdict.result);
        more["text"] = verdict.text;
        if (verdict.details != nullptr) {
            more.update(details_json(*verdict.details));
        }
    }
    write(line_of(host_, name_of(verdict.request.kind), more));
}

void Audit::command(std::string_view verb,
                    const std::string& worker,
                    const Peer& peer,
                    const std::string& refusal) {
    Json more = {{"verb", verb}, {"uid", peer.uid}, {"process", peer.pid}};
    if (!worker.empty()) {
        more["worker"] = worker;
    }
    more["result"] = refusal.empty() ? "done" : "refused";
    if (!refusal.empty()) {
        more["why"] = refusal;
    }
    write(line_of(host_, "command", more));
}

void Audit::reverted(const ManagerObserver::Reverted& it) {
    Json more = {
        {"worker", it.worker}, {"failed", it.failed}, {"back", it.back}, {"consumed", it.consumed}};
    if (!it.with.empty()) {
        more["with"] = it.with;
    }
    if (!it.error.empty()) {
        more["why"] = it.error;
    }
    write(line_of(host_, "rolled back", more));
}

void Audit::closed(const LibraryFacts& facts) {
    Json more = {{"plugin", facts.id},
                 {"version", facts.version},
                 {"build_id", facts.build_id},
                 {"hash", facts.content},
                 {"path", facts.path}};
    if (!facts.cause.empty()) {
        more["why"] = facts.cause;
    }
    write(line_of(host_, facts.cause.empty() ? "unloaded" : "pinned", more));
}

void Audit::write(const std::string& line) {
    if (!is_on()) {
        return;
    }
    const ssize_t written = ::write(file_.get(), line.data(), line.size());
    if (written != static_cast<ssize_t>(line.size()) && !has_failed_.exchange(true)) {
        spdlog::error("cannot write to the audit log: {}",
                      written < 0 ? error_text(errno) : "only a part of the line was written");
    }
}

}  // namespace skep::host
