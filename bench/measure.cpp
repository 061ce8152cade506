#include "bench/measure.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "bench/peers/peers.hpp"
#include "bench/process.hpp"
#include "bench/skep_cells.hpp"
#include "bench/swap_cells.hpp"

namespace bench {
namespace {

constexpr const char* threads_name = "skep on threads";
constexpr const char* pool_name = "skep on a pool";

// A contender with what it has measured.
struct Entry {
    const Contender* contender;
    std::string label;
    std::uint64_t count = 0;
    std::vector<double> values;
    double spent = 0;    // seconds, with the set-up and the end of what was measured
    double longest = 0;  // of those, by one measurement
};

Spread spread_of(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const std::size_t half = values.size() / 2;
    const double median =
        values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
    return {median, values.front(), values.back()};
}

class CellRun {
public:
    CellRun(const CellInfo& cell, const Options& options, Results& results)
        : cell_(cell),
          options_(options),
          results_(results),
          count_(options.is_quick && !cell.is_scaled ? std::max(cell.count / 5, std::uint64_t{1})
                                                     : cell.count),
          budget_(options.is_quick ? 6 : 60) {}

    void add_skep(const Contenders& from, const std::string& label) {
        for (const Contender& it : from) {
            if (it.cell == cell_.name) {
                entries_.push_back({&it, label, 0, {}});
            }
        }
    }

    // Those that some skep is held against.
    void add_peers(const Contenders& from) {
        const bool has_threads = has(threads_name);
        const bool has_pool = has(pool_name);
        for (const Contender& it : from) {
            const bool is_wanted =
                (has_threads && it.is_beside_threads) || (has_pool && it.is_beside_pool);
            if (it.cell == cell_.name && is_wanted) {
                entries_.push_back({&it, it.name, 0, {}});
            }
        }
    }

    void run() {
        if (entries_.empty()) {
            return;
        }
        for (Entry& entry : entries_) {
            say("calibrates " + entry.label);
            calibrate(entry);
        }
        for (int round = 1; round <= options_.rounds; ++round) {
            say("round " + std::to_string(round) + " of " + std::to_string(options_.rounds));
            for (Entry& entry : entries_) {
                if (entry.count > 0 && !is_affordable(entry)) {
                    entry.count = 0;
                } else if (entry.count > 0) {
                    take(entry);
                }
            }
        }
        add_row("threads", threads_name, &Contender::is_beside_threads);
        add_row("pool", pool_name, &Contender::is_beside_pool);
    }

private:
    [[nodiscard]] bool has(const char* label) const {
        return std::any_of(
            entries_.begin(), entries_.end(), [&](const Entry& it) { return it.label == label; });
    }

    void say(const std::string& what) const {
        std::fprintf(stderr, "bench: %s: %s\n", cell_.name, what.c_str());
    }

    static Sample run_once(Entry& entry, std::uint64_t count) {
        Sample sample = timed([&] { return entry.contender->run(count); });
        entry.spent += sample.whole_seconds;
        entry.longest = std::max(entry.longest, sample.whole_seconds);
        return sample;
    }

    // Whether there is time for one more. There always is for the first.
    [[nodiscard]] bool is_affordable(const Entry& entry) const {
        if (entry.values.empty() || entry.spent + entry.longest <= budget_) {
            return true;
        }
        say(entry.label + ": left out, as one measurement with its set-up takes " +
            std::to_string(std::lround(entry.longest)) + " s");
        return false;
    }

    // Also the warm-up. A contender that fails here is not asked again. Where a set-up takes so
    // long that there is hardly time for a round, the calibration is one.
    void calibrate(Entry& entry) {
        if (!cell_.is_scaled) {
            entry.count = count_;
            return;
        }
        const double target = options_.is_quick ? 0.15 : 0.5;
        for (std::uint64_t count = cell_.least;;) {
            const Sample sample = run_once(entry, count);
            if (!sample.error.empty()) {
                complain(entry, sample);
                return;
            }
            const double factor = target / sample.seconds;
            const bool is_known = sample.seconds >= target / 20 || count >= cell_.count;
            const double next =
                static_cast<double>(count) * (is_known ? factor : std::min(factor, 16.0));
            count = std::clamp(static_cast<std::uint64_t>(next), cell_.least / 10, cell_.count);
            const bool is_slow = entry.spent + entry.longest > budget_;
            if (is_slow) {
                entry.values.push_back(sample.value);
            }
            if (is_known || is_slow) {
                entry.count = count;
                return;
            }
        }
    }

    void take(Entry& entry) {
        const Sample sample = run_once(entry, entry.count);
        if (sample.error.empty()) {
            entry.values.push_back(sample.value);
        } else {
            complain(entry, sample);
            entry.count = 0;
        }
    }

    void complain(const Entry& entry, const Sample& sample) {
        const std::string& error = sample.error;
        if (sample.is_too_slow) {
            say(entry.label + ": left out: " + error);
            return;
        }
        results_.errors.push_back(std::string(cell_.name) + ", " + entry.label + ": " + error);
        say(entry.label + ": " + error);
    }

    void add_row(const std::string& mode, const std::string& label, bool Contender::*is_beside) {
        const auto own = std::find_if(
            entries_.begin(), entries_.end(), [&](const Entry& it) { return it.label == label; });
        if (own == entries_.end() || own->values.empty()) {
            return;
        }
        Row row;
        row.cell = &cell_;
        row.mode = mode;
        row.skep = spread_of(own->values);
        for (const Entry& it : entries_) {
            if (it.values.empty() || it.contender->name == "skep" || !(it.contender->*is_beside)) {
                continue;
            }
            row.peers[it.label] = spread_of(it.values);
            if (!it.contender->not_comparable.empty()) {
                row.not_comparable[it.label] = it.contender->not_comparable;
                continue;
            }
            const double ratio = ratio_to(row.skep.median, row.peers[it.label].median);
            if (row.best_peer.empty() || ratio < row.ratio) {
                row.best_peer = it.label;
                row.ratio = ratio;
            }
        }
        results_.rows.push_back(std::move(row));
    }

    [[nodiscard]] double ratio_to(double skep, double peer) const {
        return cell_.higher_is_better ? skep / peer : peer / skep;
    }

    const CellInfo& cell_;
    const Options& options_;
    Results& results_;
    const std::uint64_t count_;
    const double budget_;  // seconds for one contender, after which it gets no further round
    std::vector<Entry> entries_;
};

}  // namespace

Results measure(const Options& options) {
    Results results;
    limit_children(std::chrono::seconds(options.is_quick ? 30 : 300));
    const Contenders on_threads =
        options.has_mode("threads") ? skep_contenders(Mode::threads) : Contenders();
    Contenders on_pool;
    if (options.has_mode("pool")) {
        const std::string why = why_no_pool();
        if (why.empty()) {
            on_pool = skep_contenders(Mode::pool);
        } else {
            std::fprintf(
                stderr, "bench: skips the pool, which this host does not know:\n%s", why.c_str());
        }
    }
    Contenders peers = all_peers();
    for (const Mode mode : {Mode::threads, Mode::pool}) {
        const Contenders baselines = swap_baselines(mode);
        peers.insert(peers.end(), baselines.begin(), baselines.end());
    }
    for (const CellInfo& cell : cells()) {
        if (!options.has_cell(cell.name)) {
            continue;
        }
        CellRun run(cell, options, results);
        run.add_skep(on_threads, threads_name);
        run.add_skep(on_pool, pool_name);
        run.add_peers(peers);
        run.run();
    }
    return results;
}

Sample measure_once(const std::string& what) {
    be_the_child();
    std::vector<std::string> words(1);
    for (const char letter : what) {
        if (letter == ':') {
            words.emplace_back();
        } else {
            words.back() += letter;
        }
    }
    if (words.size() != 4) {
        throw std::invalid_argument("--measure takes CELL:CONTENDER:MODE:COUNT");
    }
    const Mode mode = words[2] == "pool"          ? Mode::pool
                      : words[2] == "pool_of_one" ? Mode::pool_of_one
                                                  : Mode::threads;
    const Contenders all = words[1] != "skep" ? all_peers() : skep_contenders(mode);
    for (const Contender& it : all) {
        if (it.cell == words[0] && it.name == words[1]) {
            return it.run(std::stoull(words[3]));
        }
    }
    throw std::invalid_argument("nothing to measure is named '" + what + "'");
}

}  // namespace bench
