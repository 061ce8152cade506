#include <skep/plugin.hpp>

struct Blackhole {
    static constexpr auto name = "blackhole";
    static constexpr auto doc = "Receives every message and discards it.";
    static constexpr skep::port inputs[] = {{"in", "*", "anything"}};

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

SKEP_PLUGIN("org.skep.blackhole", "0.1.0", Blackhole)
