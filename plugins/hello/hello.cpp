#include <skep/plugin.hpp>

struct Hello {
    static constexpr auto name = "hello";
    static constexpr auto doc = "Greets each name that it receives.";
    static constexpr skep::port inputs[] = {{"in", "text/plain", "names"}};
    static constexpr skep::port outputs[] = {{"out", "text/plain", "greetings"}};

    void on_message(skep::context& context, const skep::message& message) {
        context.emit("Hello, " + std::string(message.text()) + "!");
    }
};

SKEP_PLUGIN("org.skep.hello", "0.1.0", Hello)
