#include "bench/swap_cells.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "bench/process.hpp"

namespace bench {
namespace {

using skep::host::Answer;
using skep::host::Done;
using skep::host::Manager;

constexpr std::size_t sources = 3;
using Versions = std::array<const char*, 3>;
constexpr Versions versions = {"bench_keeper_a", "bench_keeper_b", "bench_keeper_c"};
constexpr Versions local_versions = {
    "bench_local_keeper_a", "bench_local_keeper_b", "bench_local_keeper_c"};
constexpr std::size_t small_state = 100;
constexpr std::uint64_t warm_up = 100;

using Times = std::vector<double>;  // in us

// All that was measured, by cell and contender.
std::map<std::string, Times>& all_times() {
    static std::map<std::string, Times> all;
    return all;
}

double percentile(const Times& sorted, double part) {
    const auto last = static_cast<double>(sorted.size() - 1);
    return sorted.at(static_cast<std::size_t>(last * part));
}

std::string percentiles(Times times) {
    std::sort(times.begin(), times.end());
    std::array<char, 160> text{};
    std::snprintf(text.data(),
                  text.size(),
                  "p50 %.2f  p99 %.2f  p99.9 %.2f  max %.2f us of %zu",
                  percentile(times, 0.5),
                  percentile(times, 0.99),
                  percentile(times, 0.999),
                  times.back(),
                  times.size());
    return text.data();
}

template <class Value>
void must(const Answer<Value>& answer) {
    if (!answer) {
        throw std::runtime_error(answer.error().message);
    }
}

void must(const std::string& error) {
    if (!error.empty()) {
        throw std::runtime_error(error);
    }
}

// Where the versions of a worker that moves are served: on a thread, and in two pools.
void place(skep::host::Plan& plan, std::size_t version) {
    constexpr std::array<const char*, versions.size()> places = {"", "one", "two"};
    plan.pools.push_back({"one", 2, {}});
    plan.pools.push_back({"two", 2, {}});
    std::find_if(plan.workers.begin(), plan.workers.end(), [](const auto& it) {
        return it.name == "keeper";
    })->run.pool = places.at(version);
}

// Three sources at full speed, and the worker that is swapped.
class Load {
public:
    Load(Mode mode,
         std::size_t state,
         bool keeps_state,
         const Versions& keepers = versions,
         bool moves = false) {
        report_.keeps_state = keeps_state;
        for (std::size_t i = 0; i < keepers.size(); ++i) {
            TopologyText text(mode, report_);
            for (std::size_t source = 0; source < sources; ++source) {
                text.worker("source" + std::to_string(source),
                            text.is_on_pool() ? "pool_endless_source" : "endless_source",
                            1,
                            source);
            }
            text.set_payload(state);
            text.worker("keeper", "keeper", 1, 0, 1, keepers.at(i));
            for (std::size_t source = 0; source < sources; ++source) {
                text.route("source" + std::to_string(source), "\"keeper\"");
            }
            must(host_.plan(text.text()));
            plans_.at(i) = host_.planned();
            if (moves) {
                place(plans_.at(i), i);
            }
        }
        must(manager().apply(plans_.front()));
        wait_for_first_message();
    }

    Load(const Load&) = delete;
    Load& operator=(const Load&) = delete;

    // How long nothing could be handled, in us.
    double swap() {
        must(manager().apply(next_plan()));
        const auto last = manager().metrics("keeper")->last_swap;
        return std::chrono::duration<double, std::micro>(last.value().blackout).count();
    }

    double stop_load_start() {
        must(manager().stop("keeper"));
        must(manager().apply(next_plan()));
        must(manager().start("keeper"));
        wait_for_first_message();
        return static_cast<double>(report_.first_ns - report_.last_ns) / 1e3;
    }

    // What is wrong, or "".
    std::string end(bool may_lose) {
        const std::string error = host_.stop();
        if (!error.empty() || may_lose) {
            return error;
        }
        if (report_.wrong > 0 || report_.received != report_.sent) {
            return std::to_string(report_.received) + " messages of " +
                   std::to_string(report_.sent) + ", and " + std::to_string(report_.wrong) +
                   " out of order";
        }
        return "";
    }

    [[nodiscard]] std::uint64_t received() const { return report_.received; }

    [[nodiscard]] std::uint64_t loads() const { return report_.loads; }

    [[nodiscard]] const Unloads& unloads() const { return host_.unloads(); }

private:
    Manager& manager() { return host_.manager(); }

    const skep::host::Plan& next_plan() { return plans_.at(++turn_ % plans_.size()); }

    void wait_for_first_message() {
        std::unique_lock lock(report_.mutex);
        const bool is_there = report_.changed.wait_for(
            lock, std::chrono::seconds(20), [this] { return report_.first_ns > report_.last_ns; });
        if (!is_there) {
            throw std::runtime_error("no message arrives");
        }
    }

    Report report_;
    SkepHost host_;
    std::array<skep::host::Plan, versions.size()> plans_;
    std::size_t turn_ = 0;
};

std::int64_t entries_of(const char* folder) {
    return std::distance(std::filesystem::directory_iterator(folder), {});
}

std::int64_t lines_of(const char* path) {
    std::ifstream file(path);
    std::int64_t lines = 0;
    for (std::string line; std::getline(file, line);) {
        ++lines;
    }
    return lines;
}

struct Holdings {
    double kibibytes = resident_bytes() / 1024;
    std::int64_t files = entries_of("/proc/self/fd");
    std::int64_t maps = lines_of("/proc/self/maps");
};

// In a process of its own. What it holds more at the end than after the first swaps.
Sample soak(Mode mode, std::uint64_t swaps, bool moves) {
    Load load(mode, small_state, false, versions, moves);
    for (std::uint64_t i = 0; i < warm_up; ++i) {
        (void)load.swap();
    }
    const Holdings before;
    const auto begin = std::chrono::steady_clock::now();
    // Without a list of all times, which would grow. This one does not.
    double longest = 0;
    for (std::uint64_t i = 0; i < swaps; ++i) {
        longest = std::max(longest, load.swap());
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    const Holdings after;
    std::string error = load.end(false);
    const std::uint64_t pinned = load.unloads().pinned;
    if (error.empty() && pinned > 0) {
        error = std::to_string(pinned) + " plugins are mapped still";
    }
    std::fprintf(stderr,
                 "bench: %llu swaps in %.1f s, %.1f M messages, %llu plugins loaded, "
                 "%llu proven to be unloaded: RSS %.0f -> %.0f KiB, fds %lld -> %lld, maps %lld -> "
                 "%lld, longest %.1f us\n",
                 static_cast<unsigned long long>(swaps),
                 seconds.count(),
                 static_cast<double>(load.received()) / 1e6,
                 static_cast<unsigned long long>(load.loads()),
                 static_cast<unsigned long long>(load.unloads().proven.load()),
                 before.kibibytes,
                 after.kibibytes,
                 static_cast<long long>(before.files),
                 static_cast<long long>(after.files),
                 static_cast<long long>(before.maps),
                 static_cast<long long>(after.maps),
                 longest);
    return {after.kibibytes - before.kibibytes, seconds.count(), error};
}

// A hundred workers, of which ten are swapped again and again, as a set. What that does to the
// ninety others: the p99 of the gaps between their messages, beside that of the same without swaps,
// in windows that alternate. `length`: of a window, in tens of ms.
Sample measure_gaps(Mode mode, std::uint64_t length) {
    constexpr std::size_t unchanged = 90;
    constexpr std::size_t changing = 10;
    Report report;
    SkepHost host;
    std::array<skep::host::Plan, versions.size()> plans;
    for (std::size_t i = 0; i < versions.size(); ++i) {
        TopologyText text(mode, report);
        const std::string source = text.is_on_pool() ? "pool_endless_source" : "endless_source";
        text.worker("source", source, 1);
        for (std::size_t number = 0; number < unchanged; ++number) {
            const std::string name = "stays" + std::to_string(number);
            text.worker(name, "gap_sink", 1);
            text.route("source", "\"" + name + "\"");
        }
        text.worker("source0", source, 1);
        for (std::size_t number = 0; number < changing; ++number) {
            const std::string name = "changes" + std::to_string(number);
            text.worker(name, "keeper", 1, 0, 1, versions.at(i));
            text.route("source0", "\"" + name + "\"");
        }
        must(host.plan(text.text()));
        plans.at(i) = host.planned();
    }
    must(host.manager().apply(plans.front()));
    std::uint64_t swaps = 0;
    const auto pass_window = [&](std::size_t window, bool swaps_meanwhile) {
        report.window = window;
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(10 * length);
        while (std::chrono::steady_clock::now() < end) {
            if (swaps_meanwhile) {
                must(host.manager().apply(plans.at(++swaps % plans.size())));
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(swaps_meanwhile ? 90 : 10));
        }
    };
    for (std::size_t window = 0; window < Report::windows; ++window) {
        pass_window(window, window % 2 == 0);  // the first is not counted
    }
    report.window = 0;
    const std::string error = host.stop();
    Times ratios;
    for (std::size_t window = 1; window + 1 < Report::windows; window += 2) {
        const auto without = static_cast<double>(report.gaps.at(window).percentile(0.99));
        const auto with = static_cast<double>(report.gaps.at(window + 1).percentile(0.99));
        std::fprintf(stderr, "bench: swap.gap: p99 %.0f ns, with swaps %.0f ns\n", without, with);
        ratios.push_back(with / std::max(without, 1.0));
    }
    std::sort(ratios.begin(), ratios.end());
    return {percentile(ratios, 0.5), static_cast<double>(length) * Report::windows / 100, error};
}

struct SwapCell {
    const char* name;
    std::size_t state;
    const Versions& keepers;
    bool moves = false;
};

constexpr std::array<SwapCell, 5> swap_cells = {{{"swap", small_state, versions},
                                                 {"swap.64k", 65'536, versions},
                                                 {"swap.1m", 1'048'576, versions},
                                                 {"swap.handoff", small_state, local_versions},
                                                 {"swap.move", small_state, versions, true}}};

Sample measure_times(
    const std::string& label, Mode mode, const SwapCell& cell, std::uint64_t count, bool is_swap) {
    Load load(mode, cell.state, !is_swap, cell.keepers, cell.moves);
    Times times;
    for (std::uint64_t i = 0; i < count; ++i) {
        times.push_back(is_swap ? load.swap() : load.stop_load_start());
    }
    const std::string error = load.end(!is_swap);
    if (!error.empty()) {
        return failure(error);
    }
    // The one before the last may still be on its way out when it is wanted again.
    if (load.loads() * 10 < count * 9) {
        return failure(std::to_string(load.loads()) + " plugins were loaded for " +
                       std::to_string(count) + " successors");
    }
    Times& all = all_times()[label];
    all.insert(all.end(), times.begin(), times.end());
    std::sort(times.begin(), times.end());
    return {percentile(times, 0.5), 1, ""};
}

std::string word_of(Mode mode) {
    return mode == Mode::pool ? "pool" : "threads";
}

Contender contender(const std::string& name, const SwapCell& cell, Mode mode) {
    const std::string label = std::string(cell.name) + ", " + word_of(mode) + ", " + name;
    return {name,
            cell.name,
            "",
            mode == Mode::threads,
            mode == Mode::pool,
            [=, &cell](std::uint64_t count) {
                return measure_times(label, mode, cell, count, name == "skep");
            }};
}

// On a pool there is no thread to be handed off, and a worker that moves has no home there.
Contenders on_each_cell(const std::string& name, Mode mode) {
    Contenders all;
    for (const SwapCell& cell : swap_cells) {
        if (mode == Mode::threads || (&cell.keepers == &versions && !cell.moves)) {
            all.push_back(contender(name, cell, mode));
        }
    }
    return all;
}

}  // namespace

Contenders swap_contenders(Mode mode) {
    Contenders all = on_each_cell("skep", mode);
    all.push_back({"skep",
                   "swap.gap",
                   "",
                   true,
                   true,
                   in_own_process("swap.gap:skep:" + word_of(mode),
                                  [=](std::uint64_t count) { return measure_gaps(mode, count); })});
    for (const bool moves : {false, true}) {
        const std::string cell = moves ? "swap.move.soak" : "swap.soak";
        all.push_back({"skep",
                       cell,
                       "",
                       true,
                       !moves,
                       in_own_process(cell + ":skep:" + word_of(mode), [=](std::uint64_t count) {
                           return soak(mode, count, moves);
                       })});
    }
    return all;
}

Contenders swap_baselines(Mode mode) {
    return on_each_cell("stop-load-start", mode);
}

std::string swap_percentiles() {
    std::string text;
    for (const auto& [label, times] : all_times()) {
        text += label + ": " + percentiles(times) + "\n";
    }
    return text;
}

}  // namespace bench
