// The topologies that are shipped, planned over the plugins that are shipped.
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/loader/file_loader.hpp"
#include "host/loader/plugin_finder.hpp"
#include "host/topology/plan.hpp"
#include "host/topology/topology.hpp"
#include "tests/support/fake_host.hpp"

namespace skep::test {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr auto folder = SKEP_SOURCE_DIR "/configs";

std::string rendered(const host::Diagnostics& diagnostics) {
    std::string all;
    for (const host::Diagnostic& each : diagnostics) {
        all += host::render(each);
    }
    return all;
}

host::Plan planned(const std::string& file) {
    const auto nothing_set = [](const std::string&) { return std::optional<std::string>(); };
    const auto topology = host::read_topology(file, nothing_set);
    const auto loader = host::FileLoader::create();
    if (!loader) {
        ADD_FAILURE() << rendered(loader.error());
        return {};
    }
    host::PluginFinder finder(**loader, folder, SKEP_PLUGIN_DIR);
    auto result = host::make_plan(topology, [&](const auto& plugin, const auto& search) {
        return finder.find(plugin, search);
    });
    if (!result) {
        ADD_FAILURE() << rendered(result.error());
        return {};
    }
    EXPECT_EQ(rendered(result->warnings), "");
    return std::move(result->plan);
}

TEST(Configs, ArePlannedWithoutAWarning) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        SCOPED_TRACE(entry.path());
        EXPECT_THAT(planned(entry.path()).workers, Not(IsEmpty()));
        ++count;
    }
    EXPECT_GE(count, 5);
}

TEST(Configs, QuickstartMatchesEveryKindOfLineOfADpkgLog) {
    const std::vector<std::string> lines = {
        "2026-11-22 16:24:01 startup archives unpack",
        "2026-11-22 16:24:01 install libfoo:amd64 <none> 1.2",
        "2026-11-22 16:24:01 upgrade libfoo:amd64 1.1 1.2",
        "2026-11-22 16:24:01 status installed libfoo:amd64 1.2",
        "2026-11-22 16:24:01 status triggers-pending libc-bin:amd64 2.36-9",
        "2026-11-22 16:24:01 trigproc libc-bin:amd64 2.36-9 <none>",
        "2026-11-22 16:24:01 configure libfoo:amd64 1.2 <none>",
        "2026-11-22 16:24:01 conffile /etc/foo.conf keep",
        "2026-11-22 16:24:01 remove libfoo:amd64 1.2 <none>",
        "2026-11-22 16:24:01 purge libfoo:amd64 1.2 <none>",
        "2026-11-22 16:24:01 disappear libfoo:amd64 1.2 <none>",
    };
    for (const std::string name : {"/quickstart.toml", "/follow.toml"}) {
        const host::Plan plan = planned(folder + name);
        ASSERT_NE(plan.find("parse"), nullptr);
        FakeHost parse(
            "regex", {{"pattern", std::get<std::string>(plan.find("parse")->live.at("pattern"))}});
        ASSERT_EQ(parse.create(), SKEP_OK);
        EXPECT_EQ(parse.handle(lines), SKEP_OK);
        EXPECT_THAT(parse.texts(0), SizeIs(lines.size()));
        EXPECT_EQ(parse.texts(0).front(),
                  R"({"date":"2026-11-22","time":"16:24:01","action":"startup"})");
    }
}

}  // namespace
}  // namespace skep::test
