// Unloading is proven, and what pins a library is named. Each test is one way in which others are
// caught out by dlclose, which answers "done" to all of them.
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory_resource>
#include <new>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <skep/note.h>

#include "tests/plugins/exit_log.h"
#include "tests/support/loader_fixture.hpp"

namespace skep::host {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;

// How many places of the address space belong to copies of plugins.
std::size_t mapped_copies(const std::string& folder) {
    std::ifstream maps("/proc/self/maps");
    std::size_t count = 0;
    for (std::string line; std::getline(maps, line);) {
        count += line.find(folder) != std::string::npos ? 1U : 0U;
    }
    return count;
}

class Unload : public LoaderFixture {
protected:
    [[nodiscard]] std::size_t mapped() const { return mapped_copies(folder_.path()); }

    void expect_pinned(std::shared_ptr<Library>& library, const std::string& cause) {
        const UnloadReport report = close(library);
        EXPECT_FALSE(report.unloaded);
        EXPECT_THAT(report.cause, HasSubstr(cause));
        EXPECT_GT(mapped(), 0U);
        EXPECT_FALSE(std::filesystem::is_empty(loader_->staging_folder()))
            << "a debugger needs the copy of what is still mapped";
    }
};

TEST_F(Unload, IsProvenByTheAddressSpace) {
    auto library = open(test_plugin("counts"));
    EXPECT_GT(mapped(), 0U);
    expect_unloads(library);
    EXPECT_EQ(mapped(), 0U);
}

// The worst of unique symbols is not that they pin: the next version runs on the statics of the
// last one.
TEST_F(Unload, NamesTheUniqueSymbolThatPinsAndLeaksItsState) {
#if defined(__clang__)
    GTEST_SKIP() << "clang never marks a symbol STB_GNU_UNIQUE";
#endif
    auto first = open(test_plugin("inline_static_naive"));
    EXPECT_EQ(ask(first), 1);
    expect_pinned(first, "unique symbol 'skep_test::counter'");
    auto second = open(test_plugin("inline_static_naive"));
    EXPECT_EQ(ask(second), 2);
    close(second);
}

TEST_F(Unload, SkepAddPluginKeepsTheStateOfVersionsApart) {
    auto first = open(test_plugin("inline_static"));
    EXPECT_EQ(ask(first), 1);
    auto second = open(test_plugin("inline_static"));
    EXPECT_EQ(ask(second), 1);
    expect_unloads(first);
    expect_unloads(second);
}

TEST_F(Unload, SucceedsForStaticsOfTheStandardLibrary) {
    auto library = open(test_plugin("make_shared"));
    EXPECT_EQ(ask(library), 7);
    expect_unloads(library);
}

TEST_F(Unload, NamesTheNodeleteFlag) {
    auto library = open(test_plugin("nodelete"));
    expect_pinned(library, "NODELETE");
    ASSERT_EQ(loader_->left().size(), 1U);
    const LibraryFacts left = loader_->left().front();
    EXPECT_EQ(left.path, test_plugin("nodelete"));
    EXPECT_THAT(left.cause, HasSubstr("NODELETE"));
    EXPECT_GT(left.mapped, 0U);
}

TEST_F(Unload, NamesAThreadLocalOnAThreadThatLives) {
    auto library = open(test_plugin("thread_local_destructor"));
    EXPECT_EQ(ask_here(library), 1);
    expect_pinned(library, "a thread_local with a destructor");
}

TEST_F(Unload, SucceedsWhenTheThreadWithTheThreadLocalHasEnded) {
    auto library = open(test_plugin("thread_local_destructor"));
    EXPECT_EQ(ask(library), 1);
    expect_unloads(library);
}

TEST_F(Unload, CollectsLaterWhatAThreadHeld) {
    auto library = open(test_plugin("thread_local_destructor"));
    std::thread([&] {
        ask_here(library);
        EXPECT_FALSE(close(library).unloaded);
    }).join();
    EXPECT_EQ(loader_->left().size(), 1U);
    // glibc looks again at the next close of anything.
    auto other = open(test_plugin("counts"));
    expect_unloads(other);
    EXPECT_EQ(mapped(), 0U);
    EXPECT_TRUE(loader_->left().empty());
    EXPECT_TRUE(std::filesystem::is_empty(loader_->staging_folder()));
}

TEST_F(Unload, NamesTheLibraryThatCameWithItAndStayed) {
    auto library = open(test_plugin("held_by_companion"));
    EXPECT_EQ(ask(library), 2);
    expect_pinned(library, "libcompanion.so was loaded with it and is still mapped");
}

// dlclose would take the code from under it, and the process with it.
TEST_F(Unload, LeavesALibraryMappedWhileAThreadOfItsOwnLives) {
    auto library = open(test_plugin("thread_from_constructor"));
    const skep_worker_type* type = library->find_type("probe");
    expect_pinned(library, "started while the library was loaded, is still alive");
    type->on_timer(nullptr, 0);
}

TEST_F(Unload, SucceedsWhenThatThreadWasJoined) {
    auto library = open(test_plugin("thread_from_constructor"));
    ask(library);
    expect_unloads(library);
}

TEST_F(Unload, RunsStaticDestructorsLatestFirst) {
    exit_log log{};
    auto library = open(test_plugin("many_statics"));
    ask(library, &log);
    expect_unloads(library);
    std::vector<int> expected;
    for (int number = 119; number >= 0; --number) {
        expected.push_back(number);
    }
    EXPECT_THAT(std::span(log.numbers, static_cast<std::size_t>(log.count)),
                ElementsAreArray(expected));
}

// Opening the new before closing the old is what lets a reload roll back, and what makes the C
// library's own list of destructors grow for ever: 32 bytes for each static, each time.
TEST_F(Unload, LeavesNothingBehindInThreeHundredOverlappingGenerations) {
    exit_log log{};
    const auto reload = [&](std::shared_ptr<Library>& current) {
        auto next = open(test_plugin("many_statics"));
        ask(next, &log);
        log.count = 0;
        expect_unloads(current);
        current = std::move(next);
    };
    auto current = open(test_plugin("many_statics"));
    for (int i = 0; i < 20; ++i) {
        reload(current);
    }
    const std::size_t mapped_before = mapped();
    const std::size_t bytes_before = ::mallinfo2().uordblks;
    for (int i = 0; i < 300; ++i) {
        reload(current);
    }
    EXPECT_EQ(mapped(), mapped_before);
    if (SKEP_THIS_SANITIZERS == 0) {  // sanitizers have a heap of their own
        // Without the exit list this is about a megabyte.
        EXPECT_LT(::mallinfo2().uordblks, bytes_before + 64 * 1024);
    }
    expect_unloads(current);
    EXPECT_EQ(mapped(), 0U);
}

// What a plugin leaves in the process, and how the report names it; "" where it does no harm.
struct Left {
    const char* what;
    const char* cause;
};

TEST_F(Unload, LeavesMappedWhatTheProcessWouldStillCall) {
    const std::vector<Left> cases = {
        {"nothing", ""},
        {"atexit", ""},  // libc runs it at dlclose
        {"signal", "the handler of SIGUSR2 points into the library"},
        {"terminate", "the terminate handler points into the library"},
        {"new", "the new handler points into the library"},
        {"stream", "the buffer of std::clog points into the library"},
        {"resource", "the default memory resource points into the library"},
        {"variable", "the environment variable SKEP_TEST_LEFT_BEHIND points into the library"},
    };
    const std::terminate_handler terminate = std::get_terminate();
    const std::new_handler new_handler = std::get_new_handler();
    std::streambuf* const buffer = std::clog.rdbuf();
    for (const Left& it : cases) {
        auto library = open(test_plugin("leaves_behind"));
        ask(library, const_cast<char*>(it.what));
        const UnloadReport report = close(library);
        EXPECT_EQ(report.unloaded, std::string(it.cause).empty()) << it.what;
        EXPECT_EQ(report.cause, it.cause) << it.what;
        std::signal(SIGUSR2, SIG_DFL);
        std::set_terminate(terminate);
        std::set_new_handler(new_handler);
        std::clog.rdbuf(buffer);
        std::pmr::set_default_resource(nullptr);
        ::unsetenv("SKEP_TEST_LEFT_BEHIND");
    }
}

TEST_F(Unload, NamesTheFunctionByWhichLibcKeepsOneOfIt) {
    auto library = open(test_plugin("calls_on_exit"));
    expect_pinned(library, "on_exit keeps a function of the library until the process ends");
}

}  // namespace
}  // namespace skep::host
