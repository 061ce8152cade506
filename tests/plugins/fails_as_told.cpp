// Takes what `generate` says, and notes whether anything is missing or comes twice, over all its
// instances. Fails in the call that its parameter names.
#include <cstdint>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

#include <skep/plugin.hpp>

struct FailsAsTold {
    static constexpr auto name = "worker";
    static constexpr skep::param params[] = {
        skep::param::string("fault", "Which call fails").with_default("none").reloadable(),
        skep::param::integer("number", "Another number, another instance").with_default("0")};
    static constexpr skep::port inputs[] = {{"in", "text/plain", "\"<sender> <n>\", n from 1"}};
    static constexpr std::uint32_t state_version = 1;

    explicit FailsAsTold(skep::context& context)
        : fault(context.config_text("fault")) {
        fail_in("create");
    }

    void on_message(skep::context& context, const skep::message& message) {
        fail_in("on_message");
        if (fault == "boundary" && !context.is_wanted()) {
            stay_away_once(context);
        }
        const std::string_view text = message.text();
        const std::size_t space = text.rfind(' ');
        std::uint64_t& last = seen[std::string(text.substr(0, space))];
        const std::uint64_t number = std::stoull(std::string(text.substr(space + 1)));
        if (number <= last) {
            ++wrong;
            return;
        }
        missed += number - last - 1;
        last = number;
    }

    void on_drain(skep::context& context) {
        context.info("missed " + std::to_string(missed) + ", wrong " + std::to_string(wrong));
    }

    void reconfigure(skep::context& context) { fault = context.config_text("fault"); }

    void save_state(skep::state_writer& out) const {
        fail_in("save_state");
        std::ostringstream text;
        text << missed << ' ' << wrong;
        for (const auto& [sender, number] : seen) {
            text << ' ' << sender << ' ' << number;
        }
        out.write(text.str());
    }

    void load_state(std::uint32_t /*version*/, std::string_view state) {
        fail_in("load_state");
        std::istringstream text{std::string(state)};
        text >> missed >> wrong;
        std::string sender;
        for (std::uint64_t number = 0; text >> sender >> number;) {
            seen[sender] = number;
        }
    }

    void acquire(skep::context& /*context*/) { fail_in("acquire"); }

    void release() { fail_in("release"); }

    // From the boundary that it is asked to come to, until nobody asks any more.
    void stay_away_once(skep::context& context) {
        context.info("stays away, time " + std::to_string(++times_away));
        while (!context.is_wanted()) {
            std::this_thread::yield();
        }
        while (context.is_wanted()) {
            std::this_thread::yield();
        }
        fault = "none";
    }

    void fail_in(const char* call) const {
        if (fault == call) {
            throw std::runtime_error("as told");
        }
    }

    std::string fault;
    std::map<std::string, std::uint64_t> seen;
    std::uint64_t missed = 0;
    std::uint64_t wrong = 0;
    int times_away = 0;
};

SKEP_PLUGIN("org.skep.test.fails_as_told", "1.0.0", FailsAsTold)
