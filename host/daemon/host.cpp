#include "host/daemon/host.hpp"

#include <algorithm>
#include <utility>

#include <spdlog/fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "host/daemon/prepare.hpp"
#include "host/daemon/service.hpp"
#include "host/loader/shared_object.hpp"

namespace skep::host {
namespace {

// How long the end of the host waits, at most, for a running reload, which may hang in a plugin or
// a file.
constexpr Nanos reload_patience = std::chrono::seconds(10);

}  // namespace

void Host::Observer::swapped(const std::string& worker, std::uint64_t generation) {
    host_.probations_.swapped(worker, generation);
}

void Host::Observer::settled(const std::string& worker, std::uint64_t generation) {
    host_.probations_.settled(worker, generation);
}

void Host::Observer::hangs(const std::string& worker, std::uint64_t generation, Nanos lasts) {
    host_.probations_.hangs({worker, generation, lasts});
}

void Host::Observer::reverted(const Reverted& it) {
    host_.audit_->reverted(it);
    host_.probations_.reverted(it);
}

void Host::Observer::closed(const LibraryFacts& facts) {
    host_.audit_->closed(facts);
}

std::shared_ptr<Host> Host::make(Guard& guard,
                                 Settings settings,
                                 const Plan& plan,
                                 std::unique_ptr<FileLoader> loader,
                                 std::unique_ptr<Audit> audit) {
    auto host =
        std::make_shared<Host>(guard, std::move(settings), std::move(loader), std::move(audit));
    guard.stop_with([host](Nanos grace) { host->stop(grace); }, plan.stop_grace);
    return host;
}

Host::Host(Guard& guard,
           Settings settings,
           std::unique_ptr<FileLoader> loader,
           std::unique_ptr<Audit> audit)
    : guard_(guard),
      settings_(std::move(settings)),
      loader_(std::move(loader)),
      audit_(std::move(audit)),
      observer_(*this),
      manager_(clock_,
               *loader_,
               settings_.is_dev ? Manager::When::asked : Manager::When::all_done,
               Manager::Limits(),
               &observer_) {}

Host::Start Host::start(const Plan& plan) {
    if (const Answer<Applied> started = manager_.apply(plan); !started) {
        if (started.error().code == Refusal::Code::host_ended) {
            return Start::ended;
        }
        spdlog::error("{}", started.error().message);
        manager_.request_stop(Nanos(0));
        return Start::refused;
    }
    reloader_.emplace(
        Reloader::Settings{
            settings_.file, settings_.is_dev, settings_.read_at, &guard_.is_stop_wanted()},
        manager_,
        *audit_,
        probations_);
    // The guard keeps this object.
    guard_.reload_with([this] { (void)reloader_->trigger("SIGHUP"); });
    return Start::running;
}

void Host::stop(Nanos grace) {
    guard_.end_within(stop_times(grace).total);
    manager_.request_stop(grace);
    report_stopping();
}

Host::End Host::wait() {
    End end{manager_.wait()};
    guard_.reload_with(nullptr);
    guard_.cancel_trials();
    end.is_reload_stuck =
        reloader_ && !reloader_->end(std::min(reload_patience, guard_.time_left() / 2));
    if (end.is_reload_stuck) {
        spdlog::error("leaving while a reload is inside a plugin or a file");
    }
    return end;
}

bool Host::is_stuck(const End& end) {
    const std::vector<std::string>& lost = end.ending.lost;
    if (!lost.empty()) {
        spdlog::error("leaving while {} inside plugins: {}",
                      lost.size() == 1 ? "a thread is" : "threads are",
                      fmt::join(lost, ", "));
    }
    if (is_loader_stuck()) {
        spdlog::error("leaving while the static constructors of a plugin hang");
    }
    return !lost.empty() || is_loader_stuck() || end.is_reload_stuck;
}

void Host::leave(int exit_code) const {
    loader_->remove_copies();
    guard_.leave(exit_code);
}

}  // namespace skep::host
