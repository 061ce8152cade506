#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <skep/plugin.hpp>

// A source for demos, tests and measurements: "message 1", "message 2", ... Without an interval it
// emits a batch at a time, as a source with much data should.
class Generate {
public:
    static constexpr auto name = "generate";
    static constexpr auto doc = "Emits numbered lines of text.";
    static constexpr skep::param params[] = {
        skep::param::integer("count", "How many lines to emit; 0: no limit")
            .with_default("0")
            .at_least("0"),
        skep::param::string("payload", "The text before the number").with_default("message"),
        skep::param::duration("interval", "The pause between two lines; 0s: none")
            .with_default("0s")
            .at_least("0s"),
    };
    static constexpr skep::port outputs[] = {{"out", "text/plain", "\"<payload> <n>\", n from 1"}};

    explicit Generate(skep::context& context)
        : count_(context.config_integer("count")),
          prefix_(std::string(context.config_text("payload")) + " "),
          interval_(context.config_duration("interval")) {}

    void run(skep::context& context) {
        while (!is_done() && context.checkpoint() && emit_batch(context)) {
            if (interval_.count() > 0 && !is_done() && !context.sleep(interval_)) {
                return;
            }
        }
    }

    // The state is the number of emitted lines: the successor continues the count.
    static constexpr std::uint32_t state_version = 1;

    void save_state(skep::state_writer& out) const { out.write(std::to_string(emitted_)); }

    void load_state(std::uint32_t /*version*/, std::string_view state) {
        emitted_ = std::stoll(std::string(state));
    }

private:
    [[nodiscard]] bool is_done() const { return count_ > 0 && emitted_ >= count_; }

    // Returns false when the host stopped the worker.
    bool emit_batch(skep::context& context) {
        std::int64_t size = interval_.count() > 0 ? 1 : static_cast<std::int64_t>(texts_.size());
        if (count_ > 0) {
            size = std::min(size, count_ - emitted_);
        }
        for (std::int64_t i = 0; i < size; ++i) {
            texts_[i].assign(prefix_).append(std::to_string(emitted_ + i + 1));
            payloads_[i].data = texts_[i].data();
            payloads_[i].size = texts_[i].size();
        }
        const std::int64_t taken =
            context.emit_batch(0, payloads_.data(), static_cast<std::uint32_t>(size));
        if (taken == SKEP_E_STOPPING) {
            return false;
        }
        // When only some payloads were accepted, the next batch begins with the others. The host
        // counts a payload that was rejected (no route); its number has been used.
        emitted_ += std::max<std::int64_t>(taken, 1);
        context.items_done(static_cast<std::uint64_t>(std::max<std::int64_t>(taken, 0)));
        return true;
    }

    std::int64_t count_;
    std::string prefix_;
    std::chrono::nanoseconds interval_;
    std::int64_t emitted_ = 0;
    std::array<std::string, 256> texts_;
    std::array<skep_payload, 256> payloads_{};
};

SKEP_PLUGIN("org.skep.generate", "0.1.0", Generate)
