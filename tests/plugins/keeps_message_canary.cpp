// The commonest misuse of memory in plugins: a view of a message that is kept longer than the call.
//
// The messages of one batch, at most 64, live until its call returns; so the first of a hundred is
// surely freed, by the host, before the last is handled. AddressSanitizer must find the read. It is
// made here and not in a function of the C library, which is watched in any plugin.
#include <string_view>

#include <skep/plugin.hpp>

namespace {

struct KeepsMessageCanary {
    static constexpr auto name = "keeps_message_canary";
    static constexpr skep::port inputs[] = {{"in", "*", "a hundred messages, none of them empty"}};

    // Not inlined, so that the report has this name in it.
    [[gnu::noinline]] void on_message(skep::context& context, const skep::message& message) {
        if (first_.empty()) {
            first_ = message.text();
        }
        context.items_done(first_.front() == message.text().front() ? 1 : 0);
    }

    std::string_view first_;
};

}  // namespace

SKEP_PLUGIN("org.skep.test.keeps_message_canary", "1.0.0", KeepsMessageCanary)
