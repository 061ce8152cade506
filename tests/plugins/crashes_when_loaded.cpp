// Its static constructor ends the process.
#include <cstdlib>

#include <skep/plugin.hpp>

namespace {

struct Crash {
    Crash() { std::abort(); }
} crash;

}  // namespace

struct Never {
    static constexpr auto name = "never";

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

SKEP_PLUGIN("org.skep.test.crashes_when_loaded", "1.0.0", Never)
