// The other side of skep/abi.h for unit tests of plugins: opens a built plugin with plain dlopen,
// runs one worker of it on the test's thread, and records all that the worker does.
//
// Nothing here waits. The clock is turned by hand; a worker that sleeps or receives moves it on,
// and between two such calls the test has its say by way of a script.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <skep/abi.h>

#include "host/topology/plugin_info.hpp"

namespace skep::test {

// In nanoseconds, as all durations of skep/abi.h.
inline constexpr std::int64_t ms = 1'000'000;
inline constexpr std::int64_t s = 1'000'000'000;

struct Emitted {
    std::string bytes;
    std::string content_type;  // "" where the worker left it to its port
    bool is_shared = false;    // forwarded without a copy

    bool operator==(const Emitted&) const = default;
};

struct LogLine {
    std::int32_t level = 0;
    std::string text;
};

// A plugin of the build, mapped for the life of this object.
class OpenedPlugin {
public:
    explicit OpenedPlugin(const std::string& name);
    OpenedPlugin(const OpenedPlugin&) = delete;
    OpenedPlugin& operator=(const OpenedPlugin&) = delete;
    ~OpenedPlugin();

    [[nodiscard]] const skep_plugin& plugin() const { return *plugin_; }

    [[nodiscard]] const skep_worker_type& type() const { return *plugin_->types[0]; }

    [[nodiscard]] static std::string path_of(const std::string& name);

private:
    void* handle_ = nullptr;
    const skep_plugin* plugin_ = nullptr;
};

// One worker, and the host that it sees.
class FakeHost {
public:
    // Parameters as a user would write them, beside the defaults of the plugin's table. One that
    // the table lacks, or that does not parse, ends the test program: the test is wrong.
    explicit FakeHost(const std::string& plugin,
                      const std::map<std::string, std::string>& config = {});
    FakeHost(const FakeHost&) = delete;
    FakeHost& operator=(const FakeHost&) = delete;
    ~FakeHost();  // destroys the worker if the test has not

    // The life of the worker, as the host would drive it. All return the plugin's status.
    std::int32_t create();
    std::int32_t run();
    // Handles the messages as one batch; `done` tells how many the worker has finished.
    std::int32_t handle(const std::vector<std::string>& messages);
    std::int32_t drain();
    // What the worker saves for a successor; and gives that to this one, as of `version`.
    std::string save();
    std::int32_t load(const std::string& state, std::uint32_t version);
    void destroy();

    // Moves the clock on and calls on_timer for what has become due, in order of time.
    std::int32_t advance(std::int64_t ns);

    // -- What the test decides --

    // One is run at each sleep() and at each receive() that finds no message; without
    // one the worker has to stop.
    std::deque<std::function<void()>> script;
    std::deque<std::string> inbox;                  // what receive() finds
    std::optional<std::uint64_t> takes;             // number taken before SKEP_E_STOPPING
    std::map<std::uint32_t, std::int32_t> refuses;  // by port: the status instead of taking any
    std::uint32_t control = 0;                      // 1: the next checkpoint says stop

    // -- What the worker did --

    std::map<std::uint32_t, std::vector<Emitted>> emitted;  // by output port
    std::vector<LogLine> lines;
    std::string failure;
    std::uint64_t items = 0, errors = 0;
    std::uint32_t done = 0;
    std::uint64_t emit_calls = 0;
    std::vector<std::int64_t> sleeps;

    struct Timer {
        std::int64_t due = 0, period = 0;
    };

    std::map<std::uint32_t, Timer> timers;
    std::int64_t now = 0;

    // The bytes emitted by `port`, without the rest.
    [[nodiscard]] std::vector<std::string> texts(std::uint32_t port = 0) const;
    [[nodiscard]] std::vector<std::string> log_texts(std::int32_t level) const;

private:
    friend struct FakeApi;  // the table of functions, which finds its way back here

    std::int32_t wait(std::int64_t ns, std::int32_t otherwise);
    std::int32_t take(std::uint32_t port, const skep_payload& payload);

    OpenedPlugin opened_;
    std::map<std::string, host::ParamValue> config_;
    skep_context context_{};
    void* instance_ = nullptr;
    std::string received_;
    skep_message message_{};
};

}  // namespace skep::test
