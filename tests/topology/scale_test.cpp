// Wide topologies, and files with thousands of mistakes: what is said of one worker, route or
// mistake takes no longer with more of them. What would take a square of time or of memory is
// bounded, and the test sees the bound. The fuse of a test is for the rest.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "tests/support/planned.hpp"

namespace skep::host {
namespace {

std::string digits_of(int i) {
    return std::to_string(i);
}

// [worker.w0], [worker.w1], ...
std::string wide_workers(int count, const std::string& keys) {
    std::string text;
    for (int i = 0; i < count; ++i) {
        text += "[worker.w" + digits_of(i) + "]\n" + keys + "\n";
    }
    return text;
}

std::string wide_route(const std::string& from, const std::string& to) {
    return "[[route]]\nfrom = " + from + "\nto = " + to + "\n";
}

std::string in_quotes(const std::string& name) {
    return "\"" + name + "\"";
}

std::string wide_list(int count, const std::string& item) {
    std::string text = "[";
    for (int i = 0; i < count; ++i) {
        text += item + ",";
    }
    return text + "]";
}

Diagnostics wide_mistakes(const std::string& text) {
    const Result<Planned> result = make_plan(
        parse_topology("version = 1\n" + text, "wide.toml", fake_environment), find_fake_plugin);
    return result ? Diagnostics() : result.error();
}

TEST(WideTopology, HasTensOfThousandsOfWorkersAndSaysWhatIsOddAboutEach) {
    const std::string text = "version = 1\n" + wide_workers(20'000, "plugin = \"ticker\"");
    const Planned result =
        planned(wide_workers(20'000, "plugin = \"ticker\""), find_fake_plugin, "wide.toml");
    ASSERT_EQ(result.plan.workers.size(), 20'000U);
    ASSERT_EQ(result.warnings.size(), 20'000U);
    const SourceLines lines(text);
    for (const Diagnostic& warning : result.warnings) {
        ASSERT_NE(render(warning, lines).find("[worker.w"), std::string::npos);
    }
}

TEST(WideTopology, HasManyRoutesIntoOneWorkerAndOutOfOne) {
    std::string text =
        "[worker.hub]\nplugin = \"relay\"\n" + wide_workers(10'000, "plugin = \"relay\"");
    for (int i = 0; i < 10'000; ++i) {
        text += wide_route(in_quotes("w" + digits_of(i)), in_quotes("hub"));
        text += wide_route(in_quotes("hub"), in_quotes("w" + digits_of(i)));
    }
    const Planned result = planned(text);
    EXPECT_EQ(result.plan.routes.size(), 20'000U);
    EXPECT_EQ(result.warnings.size(), 10'000U) << "each pair blocks in a circle";
}

TEST(WideTopology, MayBeOneLongLineWithCharactersOfSeveralBytes) {
    std::string text = "schedule = [";
    for (int i = 0; i < 5'000; ++i) {
        text += "{ at = \"1s\", action = \"send\", worker = \"w0\", message = \"\u00fc\u20ac\" }, ";
    }
    text += "{ at = 5 }]\n" + wide_workers(1, "plugin = \"relay\"");
    const Diagnostics found = wide_mistakes(text);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found.back().span.line, 2);
    EXPECT_EQ(text.substr(static_cast<std::size_t>(found.back().span.column) - 1, 1), "5");
}

TEST(WideTopology, SaysOnceThatThereAreTooManyConnections) {
    // 10^10 pairs, each of them joined already after the first.
    const Diagnostics found =
        wide_mistakes(wide_workers(2, "plugin = \"relay\"") +
                      wide_route(wide_list(50'000, "\"w0\""), wide_list(50'000, "\"w1\"")) +
                      wide_route(wide_list(50'000, "\"w1\""), wide_list(50'000, "\"w0\"")));
    const auto is_limit = [](const Diagnostic& it) {
        return it.message ==
               "this route raises the number of connections between workers above 100000";
    };
    EXPECT_EQ(std::count_if(found.begin(), found.end(), is_limit), 1);
    EXPECT_LE(found.size(), 100'001U);
}

TEST(WideTopology, SaysOnceThatTheScheduleIsTooLong) {
    std::string text = wide_workers(1, "plugin = \"relay\"\nreplicas = 10000");
    for (int i = 0; i < 200; ++i) {
        text += "[[schedule]]\nat = \"1s\"\naction = \"pause\"\nworker = \"w0\"\n";
    }
    const Diagnostics found = wide_mistakes(text);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].message, "this entry raises the number of schedule actions above 1000000");
    EXPECT_EQ(found[0].span.line, 5 + 100 * 4);
}

TEST(WideTopology, SaysOnceThatThereAreTooManyWorkers) {
    const Diagnostics found =
        wide_mistakes(wide_workers(200, "plugin = \"relay\"\nreplicas = 10000"));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].message, "worker 'w100' raises the number of workers above 1000000");
}

TEST(WideTopology, LooksForTheNearestNameOnlyWhileThatIsCheap) {
    std::string text = wide_workers(5'000, "plugin = \"relay\"");
    for (int i = 0; i < 5'000; ++i) {
        text += wide_route(in_quotes("v" + digits_of(i)), in_quotes("w" + digits_of(i)));
    }
    const Diagnostics found = wide_mistakes(text);
    ASSERT_EQ(found.size(), 5'000U);
    EXPECT_TRUE(found.front().hint.starts_with("did you mean 'w0'?")) << found.front().hint;
    EXPECT_TRUE(found.back().hint.starts_with("the workers are 'w0', ")) << found.back().hint;
}

TEST(WideTopology, FindsAReplicaByItsNumber) {
    std::string text = wide_workers(1, "plugin = \"relay\"\nreplicas = 10000");
    for (const char* const name : {"w0#9999", "w0#10000", "w0#01", "w0#", "w0#1x"}) {
        text += "[[schedule]]\nat = \"1s\"\naction = \"pause\"\nworker = " + in_quotes(name) + "\n";
    }
    const Diagnostics found = wide_mistakes(text);
    ASSERT_EQ(found.size(), 4U);
    for (const Diagnostic& it : found) {
        EXPECT_EQ(it.hint, "its replicas are 'w0#0' to 'w0#9999'");
    }
}

}  // namespace
}  // namespace skep::host
