// Two versions of one plugin, as an author builds them: the second greets better and takes over
// how many the first has greeted. It has a mistake that the first has not. Both can be built to
// remember the name that they greeted last, in a thread_local, or to keep something per thread by
// a key with a destructor.
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

#include <pthread.h>

#include <skep/plugin.hpp>

struct Greeter {
    static constexpr auto name = "greeter";
    static constexpr skep::param params[] = {
        skep::param::string("word", "How to greet").with_default("hello")};
    static constexpr skep::port inputs[] = {skep::port("in", "*", "names").optional()};
    static constexpr std::uint32_t state_version = SKEP_TEST_VERSION;
    static constexpr std::uint32_t state_oldest = 1;

    explicit Greeter(skep::context& context)
        : word(context.config_text("word")) {}

    void on_message(skep::context& context, const skep::message& message) {
        if (SKEP_TEST_VERSION == 2 && message.text() == "nobody") {
            throw std::runtime_error("there is nobody to greet");
        }
        ++greeted;
#ifdef SKEP_TEST_REMEMBERS
        thread_local std::string last;
        last = message.text();
#endif
#ifdef SKEP_TEST_HAS_KEYS
        static const pthread_key_t key = [] {
            pthread_key_t made{};
            pthread_key_create(&made, [](void* it) { delete static_cast<std::string*>(it); });
            return made;
        }();
        if (pthread_getspecific(key) == nullptr) {
            pthread_setspecific(key, new std::string(message.text()));
        }
#endif
        context.info("version " + std::to_string(SKEP_TEST_VERSION) + ": " + word + " " +
                     std::string(message.text()) + ", number " + std::to_string(greeted));
    }

    void save_state(skep::state_writer& out) const {
        out.write(std::to_string(greeted));
    }

    void load_state(std::uint32_t /*version*/, std::string_view state) {
        greeted = std::stoi(std::string(state));
    }

    std::string word;
    int greeted = 0;
};

SKEP_PLUGIN("org.skep.test.greeter", SKEP_TEST_VERSION_TEXT, Greeter)
