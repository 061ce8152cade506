// The rules of the repository that no compiler knows. Each test holds every file against one rule,
// and first shows the rule something bad, so that a rule which has gone blind fails too.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <functional>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;
using Lines = std::vector<std::string>;

struct File {
    File(std::string path_, const std::string& text)
        : path(std::move(path_)) {
        std::istringstream stream(text);
        for (std::string line; std::getline(stream, line);) {
            lines.push_back(line);
        }
        const std::string extension = fs::path(path).extension();
        is_header = extension == ".h" || extension == ".hpp";
        is_code = is_header || extension == ".c" || extension == ".cpp";
    }

    [[nodiscard]] bool is_in(const std::string& folder) const { return path.find(folder) == 0; }

    // Whether the comment that opens the file gives `words` as its excuse.
    [[nodiscard]] bool says(const std::string& words) const {
        const auto end = lines.begin() + std::min<std::ptrdiff_t>(std::ssize(lines), 12);
        return std::any_of(lines.begin(), end, [&](const std::string& line) {
            return line.find(words) != std::string::npos;
        });
    }

    std::string path;  // from the root: "host/main.cpp"
    Lines lines;
    bool is_header, is_code;
};

// Whether one line of a file breaks the rule.
using Rule = std::function<bool(const File& file, const std::string& line)>;

File from_disk(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(fs::path(SKEP_SOURCE_DIR) / path).rdbuf();
    return {path, text.str()};
}

// All files but those of git and of builds.
std::vector<File> repository() {
    std::vector<File> files;
    const fs::path root = SKEP_SOURCE_DIR;
    fs::recursive_directory_iterator entry(root);
    for (; entry != fs::recursive_directory_iterator(); ++entry) {
        const std::string path = entry->path().lexically_relative(root);
        if (path == ".git" || path == ".cache" || (entry.depth() == 0 && path.find("build") == 0)) {
            entry.disable_recursion_pending();
        } else if (entry->is_regular_file()) {
            files.push_back(from_disk(path));
        }
    }
    return files;
}

Lines findings(const Rule& is_bad, const File& file) {
    Lines found;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
        if (is_bad(file, file.lines[i])) {
            found.push_back(file.path + ":" + std::to_string(i + 1) + ": " + file.lines[i]);
        }
    }
    return found;
}

// Expects a finding in each of `examples`, and none in the repository.
void enforce(const Rule& is_bad, const std::vector<File>& examples) {
    for (const File& example : examples) {
        EXPECT_FALSE(findings(is_bad, example).empty()) << "not found in " << example.path;
    }
    const std::vector<File> files = repository();
    ASSERT_GT(files.size(), 20U) << "the repository is not at " << SKEP_SOURCE_DIR;
    for (const File& file : files) {
        EXPECT_THAT(findings(is_bad, file), testing::IsEmpty());
    }
}

bool contains(const std::string& line, const std::string& word) {
    return line.find(word) != std::string::npos;
}

// Drops every '~'. With it this file can name what it bans without holding it.
std::string unmasked(std::string text) {
    std::erase(text, '~');
    return text;
}

// What a line includes, with its first delimiter: "<vector" or "\"host/base/mutex.hpp"; or "".
std::string included_by(const std::string& line) {
    static const std::regex include(R"(^\s*#\s*include\s*([<"][^>"]+)[>"])");
    std::smatch match;
    // Most lines are none: spare them the regular expression.
    return contains(line, "#") && std::regex_search(line, match, include) ? match.str(1) : "";
}

// "host/base", "host/topology", ... as host/CMakeLists.txt lists them; then "host", for main.cpp.
Lines layers() {
    Lines folders;
    const std::string list = "set(SKEP_LAYERS ";
    for (const std::string& line : from_disk("host/CMakeLists.txt").lines) {
        if (line.find(list) == 0) {
            std::istringstream words(line.substr(list.size(), line.find(')') - list.size()));
            for (std::string word; words >> word;) {
                folders.push_back("host/" + word);
            }
        }
    }
    folders.emplace_back("host");
    return folders;
}

}  // namespace

TEST(Tidy, LayersPointOneWay) {
    const Lines order = layers();
    ASSERT_GT(order.size(), 2U) << "host/CMakeLists.txt lists no layers";
    const auto layer_of = [&](const std::string& path) {
        return std::find(order.begin(), order.end(), fs::path(path).parent_path().string());
    };
    const Rule is_bad = [&](const File& file, const std::string& line) {
        const std::string header = included_by(line);
        if (!file.is_in("host/") || header.empty() || header[0] == '<') {
            return false;
        }
        const auto from = layer_of(file.path);
        return from == order.end() || layer_of(header.substr(1)) > from;
    };
    enforce(is_bad,
            {{"host/base/a.cpp", "#include \"host/topology/plan.hpp\""},
             {"host/topology/a.hpp", "  #  include \"host/cli/options.hpp\""},
             {"host/base/a.cpp", "#include \"host/nowhere/a.hpp\""},
             {"host/nowhere/a.cpp", "#include \"host/base/result.hpp\""},
             {"host/base/a.cpp", "#include \"result.hpp\""},
             {"host/main.cpp", "#include \"plugins/echo/echo.hpp\""}});
}

TEST(Tidy, PluginApiDependsOnTheStandardLibraryAlone) {
    const std::regex allowed(
        "[\"<]skep/.+|<[a-z_]+|"
        "<(ctype|errno|limits|math|std(arg|bool|def|int|io|lib)|string|time)\\.h");
    const Rule is_bad = [&](const File& file, const std::string& line) {
        const std::string header = included_by(line);
        return file.is_in("plugin_api/") && !header.empty() && !std::regex_match(header, allowed);
    };
    enforce(is_bad,
            {{"plugin_api/include/skep/a.hpp", "#include \"host/base/result.hpp\""},
             {"plugin_api/include/skep/a.hpp", "#include <spdlog/spdlog.h>"},
             {"plugin_api/include/skep/a.hpp", "#include <unistd.h>"}});
}

TEST(Tidy, PluginsSeeNothingOfTheHost) {
    const Rule is_bad = [](const File& file, const std::string& line) {
        const bool is_plugin = file.is_in("plugins/") || file.is_in("tests/plugins/");
        return is_plugin && contains(included_by(line), "host/");
    };
    enforce(is_bad,
            {{"plugins/echo/echo.cpp", "#include \"host/base/result.hpp\""},
             {"tests/plugins/a.c", "#include <host/base/result.hpp>"}});
}

TEST(Tidy, EachLibraryHasOneHome) {
    const std::vector<std::pair<std::string, std::regex>> homes = {
        {"toml++/", std::regex("host/topology/.*")},
        {"boost/", std::regex("host/loader/.*")},
        {"spdlog/", std::regex("host/(worker|manager|daemon|control|cli)/.*")},
        {"CLI/", std::regex("(host/cli|bench)/.*")},
        {"nlohmann/",
         std::regex("(host/cli|host/(daemon|control)/.*([.]cpp|_json[.]hpp)|plugins|bench).*")},
        {"httplib", std::regex("host/control/.*[.]cpp")},
        {"re2/", std::regex("plugins/regex/.*")},
        {"gtest/", std::regex("tests/.*")},
        {"gmock/", std::regex("tests/.*")},
    };
    const Rule is_bad = [&](const File& file, const std::string& line) {
        const std::string header = included_by(line);
        return std::any_of(homes.begin(), homes.end(), [&](const auto& home) {
            return header.find(home.first) == 1 && !std::regex_match(file.path, home.second);
        });
    };
    std::vector<File> examples = {{"plugins/echo/echo.cpp", "#include \"re2/re2.h\""}};
    for (const auto& home : homes) {
        examples.emplace_back("host/base/a.cpp", "#include <" + home.first + "a.h>");
    }
    enforce(is_bad, examples);
}

TEST(Tidy, HeadersAreReadOnce) {
    const Rule is_bad = [](const File& file, const std::string& line) {
        const auto guards = std::count(file.lines.begin(), file.lines.end(), "#pragma once");
        return file.is_in("host/") && file.is_header && &line == &file.lines[0] && guards != 1;
    };
    enforce(is_bad, {{"host/base/a.hpp", "// #pragma once\nint a();"}});
}

// A file that has to be longer says why in its first comment.
TEST(Tidy, FilesAreShort) {
    const Rule is_bad = [](const File& file, const std::string& line) {
        const bool is_too_long = file.lines.size() > 700 && &line == &file.lines[0];
        return file.is_code && is_too_long && !file.says("Long because");
    };
    const std::string text(701, '\n');
    enforce(is_bad, {{"host/base/a.cpp", text}});
    EXPECT_TRUE(findings(is_bad, {"host/base/a.cpp", "// Long because ...\n" + text}).empty());
}

TEST(Tidy, LinesAreNarrow) {
    const Rule is_bad = [](const File& file, const std::string& line) {
        const std::string extension = fs::path(file.path).extension();
        const bool is_free = extension == ".md" || extension == ".json" || extension == ".svg" ||
                             file.is_in("tests/golden/");
        // Bytes that continue a letter in UTF-8 take no column.
        const auto is_column = [](unsigned char byte) { return (byte & 0xC0U) != 0x80U; };
        return !is_free && std::count_if(line.begin(), line.end(), is_column) > 100;
    };
    enforce(is_bad, {{"host/base/a.cpp", std::string(101, 'x')}});
    EXPECT_TRUE(findings(is_bad, {"host/base/a.cpp", std::string(100, 'x')}).empty());
}

TEST(Tidy, NothingIsLeftForLater) {
    const std::regex marker(unmasked("\\b(T~ODO|F~IXME|X~XX|H~ACK)\\b"));
    const Rule is_bad = [&](const File&, const std::string& line) {
        return std::regex_search(line, marker);
    };
    enforce(
        is_bad,
        {{"README.md", unmasked("Later (T~ODO).")}, {"host/base/a.cpp", unmasked("// F~IXME: a")}});
}

// Words that readers stumble over. All files, and identifiers too.
TEST(Tidy, TextIsPlainEnglish) {
    const std::regex word(unmasked("\\b(a~new|w~hom|w~hoever|s~hall|in v~ain|for l~ost|o~bey|w~ish|"
                                   "but f~or|so m~any|is t~old|are t~old)\\b"),
                          std::regex::icase);
    const Rule is_bad = [&](const File& file, const std::string& line) {
        return file.path != "LICENSE" && std::regex_search(line, word);
    };
    enforce(is_bad,
            {{"README.md", unmasked("It is t~old.")}, {"host/base/a.cpp", unmasked("// A~new.")}});
}

TEST(Tidy, SuitesAreNamedAfterTheirSubjects) {
    const std::regex suite(R"(^TEST(_F|_P)?\(\w*Test,)");
    const Rule is_bad = [&](const File&, const std::string& line) {
        return std::regex_search(line, suite);
    };
    enforce(is_bad, {{"tests/base/a_test.cpp", "TEST_F(MailboxTest, DropsTheOldest) {"}});
}

// A file under tests/ that has to sleep says why in its first comment.
TEST(Tidy, TestsNeverSleep) {
    // Not the sleep() of a worker's context: that one obeys the clock of the test.
    const Lines sleeps = {unmasked("s~leep_for"),
                          unmasked("s~leep_until"),
                          unmasked("us~leep("),
                          unmasked("nanos~leep("),
                          unmasked("::s~leep(")};
    const Rule is_bad = [&](const File& file, const std::string& line) {
        return file.is_in("tests/") && file.is_code && !file.says("Sleeps because") &&
               std::any_of(sleeps.begin(), sleeps.end(), [&](const std::string& word) {
                   return contains(line, word);
               });
    };
    enforce(is_bad,
            {{"tests/base/a_test.cpp", unmasked("std::this_thread::s~leep_for(1s);")},
             {"tests/base/a_test.cpp", unmasked("us~leep(1);")},
             {"tests/base/a_test.cpp", unmasked("::s~leep(1);")},
             {"tests/plugins/a.c", unmasked("nanos~leep(&time, NULL);")}});
}

TEST(Tidy, PathsOfOneMachineStayOut) {
    const std::regex home(unmasked("(^|[^A-Za-z0-9_.])/~(home|Users|root|work)/~"));
    const Rule is_bad = [&](const File&, const std::string& line) {
        return std::regex_search(line, home);
    };
    enforce(is_bad, {{"configs/a.toml", unmasked("path = \"/h~ome/someone/a.so\"")}});
}
