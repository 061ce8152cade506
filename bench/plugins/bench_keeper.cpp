// The worker of the swap cells: it has a state, which is handed over. It is built several times, so
// that each swap loads another file.
#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <utility>

#include "bench/plugins/cell.hpp"

namespace bench {
namespace {

constexpr std::size_t sources = 3;

bool is_newly_loaded = true;

struct Keeper {
    static constexpr auto name = "keeper";
    static constexpr auto& params = cell_params;
    static constexpr auto& inputs = in_port;
    static constexpr std::uint32_t state_version = 1;

    // The first bytes of the state; the rest is there to be moved.
    struct Known {
        std::array<std::uint64_t, sources> next{};
        std::uint64_t received = 0;
    };

    Cell cell;
    Known known;
    std::string state;
    bool has_had_any = false;

    explicit Keeper(skep::context& context)
        : cell(context),
          state(std::max(cell.size, sizeof(Known)), 'x') {
        cell.report.loads += std::exchange(is_newly_loaded, false) ? 1U : 0U;
        if (cell.report.keeps_state && !cell.report.state.empty()) {
            take(cell.report.state);
        }
    }

    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    ~Keeper() {
        if (cell.report.keeps_state) {
            cell.report.set(&Report::last_ns);
            write_known();
            cell.report.state = state;
        }
    }

    void on_message(skep::context& /*context*/, const skep::message& message) {
        if (!has_had_any) {
#ifdef SKEP_BENCH_THREAD_LOCAL
            thread_local std::string touched;
            touched = message.text();
#endif
            has_had_any = true;
            cell.report.set(&Report::first_ns);
        }
        const Message it = read(message);
        if (it.sender >= sources || known.next[it.sender] != it.sequence) {
            ++cell.report.wrong;
        } else {
            ++known.next[it.sender];
        }
        ++known.received;
    }

    void on_drain(skep::context& /*context*/) {
        cell.report.received = known.received;
    }

    void save_state(skep::state_writer& out) const {
        out.write({reinterpret_cast<const char*>(&known), sizeof(known)});
        out.write(std::string_view(state).substr(sizeof(known)));
    }

    void load_state(std::uint32_t /*version*/, std::string_view from) {
        take(from);
    }

private:
    void take(std::string_view from) {
        if (from.size() != state.size()) {
            throw std::runtime_error("a state of another size");
        }
        state.assign(from);
        std::memcpy(&known, state.data(), sizeof(known));
    }

    void write_known() {
        std::memcpy(state.data(), &known, sizeof(known));
    }
};

}  // namespace
}  // namespace bench

SKEP_PLUGIN("org.skep.bench.keeper", SKEP_VERSION_STRING, bench::Keeper)
