// Two workers that keep their thread for good: one while it is made, one while it runs.
#include <unistd.h>

#include <skep/plugin.hpp>

namespace {

void stay(skep::context& context) {
    context.info("never to be seen again");
    for (;;) {
        ::pause();  // the signals of the host are blocked here
    }
}

struct NeverCreated {
    static constexpr auto name = "never_created";

    explicit NeverCreated(skep::context& context) { stay(context); }

    void run(skep::context& /*context*/) {}
};

struct NeverReachesCheckpoint {
    static constexpr auto name = "never_reaches_checkpoint";

    void run(skep::context& context) { stay(context); }
};

}  // namespace

SKEP_PLUGIN("org.skep.test.never_returns", "1.0.0", NeverCreated, NeverReachesCheckpoint)
