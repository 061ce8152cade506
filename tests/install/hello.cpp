#include <string>

#include <skep/plugin.hpp>

struct hello {
    static constexpr auto name = "hello";
    static constexpr skep::port inputs[] = {{"in", "text/plain", "names"}};
    static constexpr skep::port outputs[] = {{"out", "text/plain", "greetings"}};

    void on_message(skep::context& context, const skep::message& message) {
        context.emit("Hello, " + std::string(message.text()) + "!");
    }
};
SKEP_PLUGIN("org.example.hello", "1.0.0", hello)
