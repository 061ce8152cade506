// Its static constructor never returns.
#include <unistd.h>

#include <skep/plugin.hpp>

namespace {

struct Hang {
    Hang() {
        for (;;) {
            ::pause();
        }
    }
} hang;

}  // namespace

struct Never {
    static constexpr auto name = "never";

    void on_message(skep::context& /*context*/, const skep::message& /*message*/) {}
};

SKEP_PLUGIN("org.skep.test.hangs_when_loaded", "1.0.0", Never)
