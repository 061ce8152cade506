// The commonest race of plugins: two workers of one type write one plain static without a lock.
//
// Neither calls the host between its start and its write, so nothing orders the two writes,
// whichever runs first and even if one has ended before the other begins. ThreadSanitizer must
// find it.
#include <skep/plugin.hpp>

namespace {

int written_by_all = 0;

struct RacyCanary {
    static constexpr auto name = "racy_canary";

    // Not inlined, so that the report has this name in it.
    [[gnu::noinline]] void run(skep::context& /*context*/) { ++written_by_all; }
};

}  // namespace

SKEP_PLUGIN("org.skep.test.racy_canary", "1.0.0", RacyCanary)
