#include "host/daemon/verdict.hpp"

#include <chrono>

#include <spdlog/fmt/fmt.h>

namespace skep::host {
namespace {

std::string text_of(const ManagerObserver::Reverted& it) {
    const char* const form =
        it.with.empty()
            ? "; {0}@{1} failed after {2} messages, {0}@{3} is back: {4}"
            : "; {0}@{1} was rolled back with {5} after {2} messages, {0}@{3} is back{4}";
    return fmt::format(
        fmt::runtime(form), it.worker, it.failed, it.consumed, it.back, it.error, it.with);
}

std::string text_of(const Probations::Hanging& it) {
    return fmt::format(
        "; {}@{} has not returned from a call for {:.1f} s, and its thread cannot be interrupted",
        it.worker,
        it.generation,
        std::chrono::duration<double>(it.lasts).count());
}

std::string listed(const char* verb, const std::vector<std::string>& workers) {
    constexpr std::size_t shown = 20;
    std::string text;
    for (std::size_t i = 0; i < workers.size() && i < shown; ++i) {
        text += (i == 0 ? std::string(verb) + " " : ", ") + workers[i];
    }
    return text + (workers.size() > shown
                       ? " and " + std::to_string(workers.size() - shown) + " more"
                       : "");
}

}  // namespace

std::string_view name_of(ReloadResult result) {
    switch (result) {
        case ReloadResult::applied:
            return "applied";
        case ReloadResult::no_change:
            return "no change";
        case ReloadResult::hangs:
            return "hangs";
        case ReloadResult::rolled_back:
            return "rolled back";
        default:
            return "refused";
    }
}

std::string_view name_of(ReloadKind kind) {
    return kind == ReloadKind::rollback ? "rollback" : "reload";
}

std::string changes_text(const ChangeSummary& it) {
    const Changes& changes = it.changes;
    const std::string ends = listed("the state of", it.state_ends);
    std::string text;
    for (const std::string& part : {listed("swap", changes.to_swap),
                                    listed("reconfigure", changes.to_reconfigure),
                                    listed("start", changes.to_add),
                                    listed("stop", changes.to_remove),
                                    std::string(changes.routes_changed ? "rewire" : ""),
                                    std::string(changes.settings_changed ? "settings" : "")}) {
        text += (text.empty() || part.empty() ? "" : "; ") + part;
    }
    return (text.empty() ? "nothing changes" : text) + "; " + std::to_string(it.stay) + " stay" +
           (ends.empty() ? "" : "; " + ends + " ends");
}

void Verdict::add(const Probations::Outcome& outcome) {
    for (const Probations::Hanging& it : outcome.hanging) {
        result = ReloadResult::hangs;
        text += text_of(it);
    }
    for (const ManagerObserver::Reverted& it : outcome.failed) {
        result = ReloadResult::rolled_back;
        text += text_of(it);
    }
}

}  // namespace skep::host
