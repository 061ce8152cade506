#include <chrono>
#include <cstdint>
#include <string>

#include <skep/plugin.hpp>

// The classic worker loop: agree to be paused or stopped, look for a message, work, count.
class DataProcessor {
public:
    static constexpr auto name = "data_processor";
    static constexpr auto doc = "Pretends to process items until it receives \"shutdown\".";
    static constexpr skep::param params[] = {
        skep::param::string("data_source", "Where the items would come from").with_default(""),
        skep::param::duration("poll", "How long to wait for a message before each item")
            .with_default("100ms")
            .at_least("0s"),
        skep::param::duration("work", "How long one item takes")
            .with_default("100ms")
            .at_least("0s"),
    };
    static constexpr skep::port inputs[] = {
        skep::port("in", "*", "\"shutdown\"; anything else is ignored").optional()};

    explicit DataProcessor(skep::context& context)
        : source_(context.config_text("data_source")),
          poll_(context.config_duration("poll")),
          work_(context.config_duration("work")) {}

    void run(skep::context& context) {
        for (std::uint64_t processed = 1; context.checkpoint(); ++processed) {
            const skep::received received = context.receive(poll_);
            if (received.is_stopping() || (received && (*received).text() == "shutdown") ||
                !context.sleep(work_)) {
                return;
            }
            context.items_done();
            if (processed % 10 == 0) {
                context.info("processed " + std::to_string(processed) + " items" +
                             (source_.empty() ? "" : " from " + source_));
            }
        }
    }

private:
    std::string source_;
    std::chrono::nanoseconds poll_;
    std::chrono::nanoseconds work_;
};

SKEP_PLUGIN("org.skep.data_processor", "0.1.0", DataProcessor)
