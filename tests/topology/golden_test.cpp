// Topologies that are wrong in some way, and everything that skep says about each. A file of
// tests/golden holds the cases of one subject:
//
//   === NAME
//   the topology
//   --- says
//   what skep says
//
// To fill in what skep says about a new case, or after changing a message, run
// `SKEP_UPDATE_GOLDEN=1 build/dev/bin/skep_tests --gtest_filter='Files/Golden.*'` and read the
// difference.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/topology/plan.hpp"
#include "host/topology/topology.hpp"
#include "tests/support/fake_plugins.hpp"

namespace skep::host {
namespace {

const std::filesystem::path folder = std::filesystem::path(SKEP_SOURCE_DIR) / "tests" / "golden";

struct Case {
    std::filesystem::path file;
    std::string name;
    std::string topology;
    std::string says;

    friend void PrintTo(const Case& it, std::ostream* to) { *to << it.name; }
};

std::vector<Case> cases_of(const std::filesystem::path& file) {
    std::vector<Case> cases;
    std::ifstream stream(file, std::ios::binary);
    std::string* part = nullptr;
    for (std::string line; std::getline(stream, line);) {
        if (line.starts_with("=== ")) {
            cases.push_back({file, line.substr(4), "", ""});
            part = &cases.back().topology;
        } else if (line == "--- says" && !cases.empty()) {
            part = &cases.back().says;
        } else if (part != nullptr) {
            *part += line + "\n";
        }
    }
    return cases;
}

std::vector<Case> all_cases() {
    std::vector<Case> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::vector<Case> cases = cases_of(entry.path());
        all.insert(all.end(), cases.begin(), cases.end());
    }
    std::sort(all.begin(), all.end(), [](const Case& a, const Case& b) { return a.name < b.name; });
    return all;
}

void update(const Case& changed) {
    std::ostringstream text;
    for (const Case& it : cases_of(changed.file)) {
        text << "=== " << it.name << '\n'
             << it.topology << "--- says\n"
             << (it.name == changed.name ? changed.says : it.says);
    }
    std::ofstream(changed.file, std::ios::binary) << text.str();
}

std::string what_skep_says(const Case& it) {
    const ProcessLimits limits{{0, 1, 2, 3, 6}, -5, 10};
    const Result<Planned> planned = make_plan(
        parse_topology(it.topology, it.name + ".toml", fake_environment), find_fake_plugin, limits);
    std::string rendered;
    for (const Diagnostic& diagnostic : planned ? planned->warnings : planned.error()) {
        rendered += render(diagnostic, it.topology);
    }
    return rendered;
}

class Golden : public testing::TestWithParam<Case> {};

TEST_P(Golden, SaysWhatIsWrong) {
    Case it = GetParam();
    const std::string said = what_skep_says(it);
    EXPECT_NE(said, "") << "nothing is wrong with it";
    if (std::getenv("SKEP_UPDATE_GOLDEN") != nullptr) {
        it.says = said;
        update(it);
    }
    EXPECT_EQ(it.says, said) << it.file;
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(all_cases()), [](const auto& it) {
    return it.param.name;
});

TEST(GoldenFolder, HasManyCases) {
    EXPECT_GE(all_cases().size(), 170U);
}

}  // namespace
}  // namespace skep::host
