#include "bench/skep_host.hpp"

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "host/loader/plugin_finder.hpp"
#include "host/topology/plan.hpp"

namespace bench {
namespace {

using namespace skep::host;

// How long a measurement may take. Calibrated ones take a second.
constexpr std::chrono::seconds patience(60);

std::unique_ptr<FileLoader> make_loader() {
    Result<std::unique_ptr<FileLoader>> made = FileLoader::create();
    if (!made) {
        throw std::runtime_error(render(made.error().front()));
    }
    return std::move(*made);
}

std::string plugin_folder() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "plugins";
}

}  // namespace

TopologyText::TopologyText(Mode mode, Report& report)
    : mode_(mode),
      report_(std::to_string(reinterpret_cast<std::uintptr_t>(&report))),
      text_("version = 1\n") {
    if (is_on_pool()) {
        text_ += mode == Mode::pool ? "[pool.bench]\nthreads = 2\n" : "[pool.bench]\nthreads = 1\n";
    }
}

void TopologyText::worker(const std::string& name,
                          const std::string& type,
                          std::uint64_t count,
                          std::uint64_t index,
                          std::uint64_t members,
                          const std::string& plugin) {
    text_ += "[worker." + name + "]\nplugin = \"" + plugin + "\"\ntype = \"" + type + "\"\n" +
             (is_on_pool() ? "run = { pool = \"bench\" }\n" : "") +
             "config = { report = " + report_ + ", count = " + std::to_string(count) +
             ", size = " + std::to_string(size_) + ", index = " + std::to_string(index) +
             ", members = " + std::to_string(members) + " }\n";
}

void TopologyText::route(const std::string& from, const std::string& to, std::size_t queue) {
    text_ += "[[route]]\nfrom = \"" + from + "\"\nto = " + to +
             "\nqueue = " + std::to_string(queue) + "\n";
}

SkepHost::SkepHost()
    : loader_(make_loader()),
      manager_(clock_, *loader_, Manager::When::asked, Manager::Limits(), &unloads_) {}

std::string SkepHost::plan(const std::string& topology) {
    const Topology parsed = parse_topology(topology, "bench.toml", process_environment);
    PluginFinder finder(*loader_, ".", plugin_folder());
    Result<Planned> planned =
        make_plan(parsed, [&](const std::string& plugin, const std::vector<std::string>& search) {
            return finder.find(plugin, search);
        });
    if (!planned) {
        return render(planned.error().front(), topology);
    }
    plan_ = std::move(planned->plan);
    return "";
}

std::string SkepHost::start() {
    const Answer<Applied> started = manager_.apply(plan_);
    return started ? "" : started.error().message;
}

std::string SkepHost::wait_for(Report& report) {
    const auto is_done = [&report] { return report.to_finish <= 0; };
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < deadline) {
        {
            std::unique_lock lock(report.mutex);
            if (report.changed.wait_for(lock, std::chrono::seconds(2), is_done)) {
                return "";
            }
        }
        for (const WorkerMetrics& worker : manager_.metrics().workers) {
            if (!worker.error.empty()) {
                return "worker '" + worker.name + "' failed: " + worker.error;
            }
        }
    }
    return "not finished in time: messages were lost";
}

std::string SkepHost::send(const std::string& worker, std::string payload) {
    const Answer<Done> sent = manager_.send(worker, std::move(payload));
    return sent ? "" : sent.error().message;
}

std::string SkepHost::stop() {
    manager_.request_stop(std::chrono::seconds(20));
    const Ending ending = manager_.wait();
    if (ending.cause == Ending::Cause::failed) {
        return ending.reason;
    }
    if (!ending.lost.empty()) {
        return "a worker did not stop";
    }
    return manager_.metrics().accounting.is_balanced() ? "" : "the books of the host do not add up";
}

std::string why_no_pool() {
    static const std::string why = [] {
        Report report;
        TopologyText text(Mode::pool, report);
        text.worker("a", "idler", 1);
        return SkepHost().plan(text.text());
    }();
    return why;
}

}  // namespace bench
