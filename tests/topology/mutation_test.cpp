// Files that nobody would write: whatever stands in one, skep plans it or says where it is wrong.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/topology/plan.hpp"
#include "tests/support/fake_plugins.hpp"

namespace skep::host {
namespace {

const std::string good = R"(version = 1
name = "größe ${FIVE}"
[host]
plugin_path = ["./plugins", "${FOLDER:-/tmp}"]
stop_grace = "2.5s"
[defaults]
queue = 64
when_full = "drop_oldest"
[worker.tick]
plugin = "ticker"
config = { every = "200ms", count = 3 }
[worker.parse]
plugin = "regex"
replicas = 3
on_failure = "isolate"
config.pattern = '^\S+$'
config.ratio = 0.5
config.strict = true
[worker.rows]
plugin = "store"
type = "rows"
mailbox = 5
run = { cpus = [2, 3], policy = "rr", priority = 5 }
[worker.log]
plugin = "relay"
run = { pool = "light" }
[pool.light]
threads = 2
cpus = [0]
nice = -4
[[route]]
from = "tick.ticks"
to = "parse"
when_full = "block"
spread = "all"
[[route]]
from = "parse.matched"
to = "rows"
share_core = true
[[schedule]]
at = "1m"
action = "send"
worker = "rows"
message = """two
lines"""
)";

// Changes a few places, by the bytes that matter to TOML and to skep more than by others.
std::string mutated(std::mt19937& random) {
    static const std::vector<std::string> pieces = {
        "\"",     "'",       "[",           "]",
        "[[",     "]]",      "{",           "}",
        "=",      ".",       ",",           "#",
        "\n",     "\r",      "\t",          "$",
        "${",     "}",       "-",           "0",
        "9",      "1e9",     "true",        "nan",
        "inf",    "\\",      "\\u0000",     std::string(1, '\0'),
        "\xff",   "\xc3",    "é",           "tick",
        "worker", "version", "route = 1\n", "[worker.tick]\n",
        "\"\"\"", "'''",     "run = 1\n",   "[pool.light]\n"};
    const auto below = [&](std::size_t end) { return random() % end; };
    std::string text = good;
    for (std::size_t left = 1 + below(4); left > 0; --left) {
        const std::size_t at = below(text.size());
        const std::size_t length = std::min(1 + below(12), text.size() - at);
        switch (below(5)) {
            case 0:
                text.erase(at, length);
                break;
            case 1:
                text.insert(at, pieces[below(pieces.size())]);
                break;
            case 2:
                text.replace(at, 1, pieces[below(pieces.size())]);
                break;
            case 3:
                text.insert(below(text.size()), text.substr(at, length));
                break;
            default:
                text[at] = static_cast<char>(random());
                break;
        }
    }
    return text;
}

TEST(MutatedFile, SurvivesAnyMutationOfAGoodFile) {
    std::mt19937 random(20240229);
    int refused = 0;
    for (int round = 0; round < 2000; ++round) {
        const std::string source = mutated(random);
        const auto lines = 1 + std::count(source.begin(), source.end(), '\n');
        const Result<Planned> planned =
            make_plan(parse_topology(source, "mutated.toml", fake_environment), find_fake_plugin);
        if (planned)
            continue;
        ++refused;
        EXPECT_TRUE(has_errors(planned.error())) << source;
        for (const Diagnostic& error : planned.error()) {
            EXPECT_GE(error.span.line, 0) << source;
            EXPECT_LE(error.span.line, lines) << source;
            EXPECT_NE(error.message, "") << source;
            EXPECT_NE(render(error, source), "") << source;
        }
    }
    // Otherwise the mutations do not reach what they are meant to reach.
    EXPECT_GT(refused, 500);
    EXPECT_LT(refused, 2000);
}

TEST(MutatedFile, IsGoodBeforeItIsMutated) {
    EXPECT_TRUE(make_plan(parse_topology(good, "good.toml", fake_environment), find_fake_plugin));
}

}  // namespace
}  // namespace skep::host
