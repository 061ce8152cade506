// Its static constructor takes 300 ms.
#include <chrono>

#include <skep/plugin.hpp>

namespace {

struct Slow {
    Slow() {
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
        while (std::chrono::steady_clock::now() < end) {
        }
    }
} slow;

}  // namespace

struct Idle {
    static constexpr auto name = "idle";

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

SKEP_PLUGIN("org.skep.test.slow_constructor", "1.0.0", Idle)
