#include "host/loader/probe.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <skep/note.h>

#include "host/loader/file_loader.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using Cause = ProbeFailure::Cause;

std::string plugin(const std::string& name) {
    return std::string(SKEP_TEST_PLUGIN_DIR) + "/lib" + name + ".so";
}

std::string words_of(const Result<Done, std::string>& verdict) {
    return verdict ? "" : verdict.error();
}

std::string verdict(const std::string& name, milliseconds limit = probe_limit) {
    const std::vector<ProbeSubject> subjects = {{plugin(name), {}}};
    return words_of(probe(SKEP_EXECUTABLE, subjects, limit).front());
}

// What the plugin "misbehaves" does while it is loaded or unloaded, as long as this lives.
class Variable {
public:
    Variable(const char* name, const char* how)
        : name_(name) {
        ::setenv(name, how, 1);
    }

    ~Variable() { ::unsetenv(name_); }

    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;

private:
    const char* const name_;
};

ProbeSubject creating(const char* how) {
    return {plugin("misbehaves"),
            {{"w",
              "misbehaving",
              {{"when_created", std::string(how)}, {"when_sent", std::string("nothing")}}}}};
}

TEST(Probe, APluginThatCanBeLoadedPasses) {
    EXPECT_EQ(verdict("greeter_1"), "");
}

// One row for each way to misbehave: what the verdict on it says, while it is loaded and in create.
struct Row {
    const char* how;
    const char* verdict;  // with %: "it", or whose create; "": it passes
    milliseconds limit = probe_limit;
};

const Row misbehaviours[] = {
    {"nothing", ""},
    {"ends with 0", "% ended the process* in a child process: exit code 0"},
    {"exits with 0", "% ended the process* in a child process: exit code"},
    {"quick_exit", "% ended the process* in a child process: exit code"},
    {"ends with 7", "% ended the process* in a child process: exit code 7: no such database"},
    {"aborts", "% crashed* in a child process: SIGABRT"},
    {"kills itself", "% crashed* in a child process: SIGKILL"},
    {"stops itself", "% stopped the process* in a child process: SIGSTOP"},
    {"hangs", "% did not return within 300 ms* in a child process", milliseconds(300)},
    {"leaves a process and ends", "% ended the process* in a child process: exit code 0"},
    {"leaves a process", ""},
    {"closes all descriptors", "% closed the descriptors of the process* in a child process"},
    {"closes the pipe", "closed descriptors of the process"},
    {"closes all descriptors and hangs", "% closed the descriptors of the process* in a child"},
    {"writes garbage", ""},
    {"raises limits", ""},
};

// `verdict` of a row with its two gaps filled.
std::string filled(std::string text, const std::string& who, const std::string& when) {
    for (const auto& [gap, words] : {std::pair("%", who), std::pair("*", when)}) {
        if (const std::size_t at = text.find(gap); at != std::string::npos) {
            text.replace(at, 1, words);
        }
    }
    return text;
}

class ProbeOf : public testing::TestWithParam<Row> {};

TEST_P(ProbeOf, WhatIsLoadedIsJudgedByWhatItDid) {
    const auto [how, expected, limit] = GetParam();
    const Variable set("SKEP_TEST_WHEN_LOADED", how);
    const std::string found = verdict("misbehaves", limit);
    EXPECT_THAT(found, HasSubstr(filled(expected, "it", " while it was loaded")));
    EXPECT_EQ(found.empty(), *expected == '\0') << found;
}

TEST_P(ProbeOf, WhatIsUnloadedIsJudgedByWhatItDid) {
    const auto [how, expected, limit] = GetParam();
    const Variable set("SKEP_TEST_WHEN_UNLOADED", how);
    const std::string found = verdict("misbehaves", limit);
    EXPECT_THAT(found, HasSubstr(filled(expected, "it", " while it was unloaded")));
    EXPECT_EQ(found.empty(), *expected == '\0') << found;
}

TEST_P(ProbeOf, WhatIsCreatedIsJudgedByWhatItDid) {
    const auto [how, expected, limit] = GetParam();
    const std::vector<ProbeSubject> subjects = {creating(how)};
    const std::string found = words_of(probe(SKEP_EXECUTABLE, subjects, limit).front());
    EXPECT_THAT(found, HasSubstr(filled(expected, "worker 'w': create", "")));
    EXPECT_EQ(found.empty(), *expected == '\0') << found;
}

INSTANTIATE_TEST_SUITE_P(Each, ProbeOf, testing::ValuesIn(misbehaviours));

TEST(Probe, OneThatClosesTheHostsDescriptorsIsRefused) {
    const Variable set("SKEP_TEST_WHEN_LOADED", "closes the first descriptors");
    EXPECT_EQ(verdict("misbehaves"), "it closed descriptor 0 of the process while it was loaded");
}

TEST(Probe, NamesTheCulpritAndTriesThoseBehindIt) {
    const std::vector<ProbeSubject> subjects = {
        creating("nothing"), creating("ends with 0"), creating("aborts"), creating("nothing")};
    const auto verdicts = probe(SKEP_EXECUTABLE, subjects);
    ASSERT_EQ(verdicts.size(), 4U);
    EXPECT_EQ(words_of(verdicts[0]), "");
    EXPECT_THAT(words_of(verdicts[1]), HasSubstr("exit code 0"));
    EXPECT_THAT(words_of(verdicts[2]), HasSubstr("SIGABRT"));
    EXPECT_EQ(words_of(verdicts[3]), "");
}

TEST(Probe, NeedsNoSignalOfItsChildren) {
    const auto before = std::signal(SIGCHLD, SIG_IGN);
    const std::string good = verdict("greeter_1");
    const Variable set("SKEP_TEST_WHEN_LOADED", "ends with 0");
    const std::string bad = verdict("misbehaves");
    std::signal(SIGCHLD, before);
    EXPECT_EQ(good, "");
    EXPECT_THAT(bad, HasSubstr("it ended the process while it was loaded in a child process"));
}

TEST(Probe, WhatItLacksIsSaidAtOnce) {
    if (SKEP_THIS_SANITIZERS != 0) {
        GTEST_SKIP()
            << "UBSan's check of a vptr needs a descriptor itself, to see what is readable";
    }
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit few = before;
    const std::vector<ProbeSubject> subjects = {{plugin("greeter_1"), {}}};
    for (few.rlim_cur = 0; few.rlim_cur < 4; ++few.rlim_cur) {
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
        const auto verdicts = probe(SKEP_EXECUTABLE, subjects);
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
        EXPECT_THAT(words_of(verdicts.front()), HasSubstr("Too many open files"));
    }
}

TEST(Probe, OneThatCrashesLeavesNoCoreFile) {
    const test::TempFolder folder;
    const auto before = std::filesystem::current_path();
    rlimit core{};
    ASSERT_EQ(::getrlimit(RLIMIT_CORE, &core), 0);
    core.rlim_cur = core.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_CORE, &core), 0);
    std::filesystem::current_path(folder.path());
    EXPECT_THAT(verdict("crashes_when_loaded"), HasSubstr("SIGABRT"));
    std::filesystem::current_path(before);
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Probe, OneThatIsRefusedIsRefusedInTheWordsOfTheLoader) {
    EXPECT_THAT(verdict("undefined_symbol"), HasSubstr("undefined symbol"));
}

TEST(Probe, WithoutAnExecutableThereIsNone) {
    const std::vector<ProbeSubject> subjects = {{plugin("greeter_1"), {}},
                                                {plugin("greeter_2"), {}}};
    for (const auto& verdict : probe("/nowhere/skep", subjects)) {
        EXPECT_EQ(words_of(verdict),
                  "cannot try the plugin in a child process: cannot create a process of "
                  "'/nowhere/skep': No such file or directory");
    }
}

TEST(Probe, WhatIsNoProbeChildIsNamed) {
    const std::vector<ProbeSubject> subjects = {{plugin("greeter_1"), {}}};
    EXPECT_EQ(words_of(probe("/bin/false", subjects).front()),
              "cannot try the plugin in a child process: the child ended the process: exit code 1");
}

TEST(Probe, IsMadeByALoaderThatIsToldTo) {
    const auto loader = FileLoader::create();
    ASSERT_TRUE(loader);
    (*loader)->probe_with(SKEP_EXECUTABLE);
    const auto refused = (*loader)->inspect(plugin("crashes_when_loaded"));
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().front().message, HasSubstr("SIGABRT"));
    EXPECT_TRUE((*loader)->inspect(plugin("greeter_1")));
    (*loader)->probe_all({plugin("undefined_symbol"), plugin("greeter_2"), "/nowhere.so"});
    EXPECT_TRUE((*loader)->inspect(plugin("greeter_2")));
    EXPECT_THAT((*loader)->inspect(plugin("undefined_symbol")).error().front().hint,
                HasSubstr("link the library that defines it"));
    EXPECT_TRUE(std::filesystem::is_empty((*loader)->staging_folder()));
}

TEST(ProbeRequest, IsReadAsItWasWritten) {
    const ProbeRequest request{
        "nonce",
        {{"/a b.so",
          {{"w#0", "type", {{"text", std::string("a\0\n:b", 5)}, {"i", std::int64_t{-1}}}},
           {"w", "t", {{"d", 0.1}}}}},
         {"", {}}}};
    EXPECT_EQ(decode_probe_request(encode(request)), request);
    const std::string text = encode(request);
    for (std::size_t size = 0; size < text.size(); ++size) {
        EXPECT_EQ(decode_probe_request(text.substr(0, size)), std::nullopt) << size;
    }
    EXPECT_EQ(decode_probe_request(text + "0:"), std::nullopt);
}

TEST(ProbeRequest, AnAnswerCarriesTheNonce) {
    const ProbeLine line{ProbeStep::fail, 3, 0, "in two lines"};
    EXPECT_EQ(encode("n", {ProbeStep::fail, 3, 0, "in two\nlines"}), "\nn f 3 0 in two lines\n");
    EXPECT_EQ(decode_probe_line("n", "n f 3 0 in two lines"), line);
    for (const char* const other :
         {"", "n", "n ", "n f", "n f 3", "n f 3 0", "n x 3 0 ", "m f 3 0 in", "n f a 0 "}) {
        EXPECT_EQ(decode_probe_line("n", other), std::nullopt) << other;
    }
}

}  // namespace
}  // namespace skep::host
