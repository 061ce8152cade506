// Every tests/golden/NAME.toml is wrong in some way, and NAME.txt is what skep says about it, all
// of it. To write the .txt of a new file, or after changing a message, run with
// SKEP_UPDATE_GOLDEN=1 and read the difference.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/topology/plan.hpp"
#include "host/topology/topology.hpp"
#include "tests/topology/fake_plugins.hpp"

namespace skep::host {
namespace {

const std::filesystem::path folder = std::filesystem::path(SKEP_SOURCE_DIR) / "tests" / "golden";

std::optional<std::string> text_of(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    if (!stream)
        return {};
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::vector<std::string> names_of_golden_files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const std::string name = entry.path().stem().string();
        if (std::find(names.begin(), names.end(), name) == names.end())
            names.push_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

Diagnostics diagnose(const std::string& source, const std::string& file) {
    const ProcessLimits limits{{0, 1, 2, 3, 6}, -5, 10};
    const Result<Planned> planned =
        make_plan(parse_topology(source, file, fake_environment), find_fake_plugin, limits);
    return planned ? planned->warnings : planned.error();
}

class Golden : public testing::TestWithParam<std::string> {};

TEST_P(Golden, SaysWhatIsWrong) {
    const std::optional<std::string> source = text_of(folder / (GetParam() + ".toml"));
    ASSERT_TRUE(source) << GetParam() << ".txt has no .toml";

    std::string rendered;
    for (const Diagnostic& diagnostic : diagnose(*source, GetParam() + ".toml"))
        rendered += render(diagnostic, *source);
    EXPECT_NE(rendered, "") << "nothing is wrong with it";

    const std::filesystem::path expected_file = folder / (GetParam() + ".txt");
    if (std::getenv("SKEP_UPDATE_GOLDEN") != nullptr)
        std::ofstream(expected_file, std::ios::binary) << rendered;
    const std::optional<std::string> expected = text_of(expected_file);
    ASSERT_TRUE(expected) << GetParam() << ".toml has no .txt; skep says:\n" << rendered;
    EXPECT_EQ(*expected, rendered);
}

INSTANTIATE_TEST_SUITE_P(Files,
                         Golden,
                         testing::ValuesIn(names_of_golden_files()),
                         [](const auto& file) { return file.param; });

TEST(GoldenFolder, HoldsManyMistakes) {
    EXPECT_GE(names_of_golden_files().size(), 80u);
}

}  // namespace
}  // namespace skep::host
