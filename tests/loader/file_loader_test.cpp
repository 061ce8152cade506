// What opens and what does not, and that every open is a library of its own.
#include "host/loader/file_loader.hpp"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <skep/note.h>

#include "tests/support/loader_fixture.hpp"

namespace skep::host::file_loader_test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class FileLoader : public LoaderFixture {
protected:
    // A copy of a test plugin, changed by `change(note)`.
    template <typename Change>
    std::string with_note(Change change) {
        Bytes bytes = read_file(test_plugin("counts"));
        constexpr std::string_view owner("skep\0\0\0\0", 8);
        const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        const std::size_t place = text.find(owner) + owner.size();
        EXPECT_LT(place, bytes.size());
        skep_note note;
        std::memcpy(&note, bytes.data() + place, sizeof(note));
        change(note);
        std::memcpy(bytes.data() + place, &note, sizeof(note));
        write_file(folder_ / "libchanged.so", bytes);
        return folder_ / "libchanged.so";
    }

    [[nodiscard]] bool stage_is_empty() const {
        return std::filesystem::is_empty(loader_->staging_folder());
    }
};

TEST_F(FileLoader, OpensAPluginAndKnowsWhatItSays) {
    auto library = open(test_plugin("counts"));
    EXPECT_EQ(library->path(), test_plugin("counts"));
    EXPECT_EQ(library->info().id, "org.skep.test.counts");
    EXPECT_NE(library->find_type("probe"), nullptr);
    EXPECT_EQ(library->find_type("nothing"), nullptr);
    expect_unloads(library);
}

TEST_F(FileLoader, InspectsAPluginAndLeavesNothingBehind) {
    const auto info = loader_->inspect(test_plugin("counts"));
    ASSERT_TRUE(info) << message_of(info);
    EXPECT_EQ(info->types.at(0).name, "probe");
    EXPECT_TRUE(stage_is_empty());
}

TEST_F(FileLoader, GivesEveryOpenStaticsOfItsOwn) {
    auto first = open(test_plugin("counts"));
    EXPECT_EQ(ask(first), 1);
    EXPECT_EQ(ask(first), 2);
    auto second = open(test_plugin("counts"));
    EXPECT_EQ(ask(second), 1);
    EXPECT_EQ(ask(first), 3);
    expect_unloads(first);
    EXPECT_EQ(ask(second), 2);
    expect_unloads(second);
}

TEST_F(FileLoader, OpensWhatALinkLeadsTo) {
    ASSERT_EQ(::symlink(test_plugin("counts").c_str(), (folder_ / "libcounts.so").c_str()), 0);
    auto library = open(folder_ / "libcounts.so");
    expect_unloads(library);
}

TEST_F(FileLoader, GivesTheNewCodeOfAFileThatWasReplacedByRename) {
    const std::string path = folder_ / "libanswers.so";
    write_file(path, read_file(test_plugin("answers_1")));
    auto before = open(path);
    write_file(path + ".new", read_file(test_plugin("answers_2")));
    std::filesystem::rename(path + ".new", path);
    auto after = open(path);
    EXPECT_EQ(ask(before), 1);
    EXPECT_EQ(ask(after), 2);
    expect_unloads(before);
    EXPECT_EQ(ask(after), 2);
    expect_unloads(after);
}

TEST_F(FileLoader, RunsOnWhenTheFileIsOverwrittenInPlace) {
    const std::string path = folder_ / "libanswers.so";
    write_file(path, read_file(test_plugin("answers_1")));
    auto library = open(path);
    write_file(path, std::string(100, 'x'));
    EXPECT_EQ(ask(library), 1);
    std::filesystem::remove(path);
    EXPECT_EQ(ask(library), 1);
    expect_unloads(library);
}

TEST_F(FileLoader, KeepsThePrivateCopyUntilTheLibraryIsUnloaded) {
    auto library = open(test_plugin("counts"));
    const std::filesystem::directory_iterator copies(loader_->staging_folder());
    EXPECT_THAT(copies->path().filename().string(), StartsWith("libcounts.1."));
    expect_unloads(library);
    EXPECT_TRUE(stage_is_empty());
}

TEST_F(FileLoader, RefusesAnotherContentThanWasAskedFor) {
    const auto known = loader_->inspect(test_plugin("counts"));
    ASSERT_TRUE(known);
    EXPECT_EQ(known->content.size(), 64U);
    auto same = loader_->open(test_plugin("counts"), known->content);
    ASSERT_TRUE(same);
    expect_unloads(*same);
    const auto other = loader_->open(test_plugin("many_statics"), known->content);
    EXPECT_EQ(message_of(other), "the file has changed since the topology was read");
    EXPECT_TRUE(stage_is_empty());
}

// dlopen dies of most of these.
TEST_F(FileLoader, RefusesEveryCutPlugin) {
    const Bytes bytes = read_file(test_plugin("many_statics"));
    for (std::size_t i = 0; i < 200; ++i) {
        write_file(folder_ / "libcut.so", std::span(bytes).first(bytes.size() * i / 200));
        const auto library = loader_->open(folder_ / "libcut.so");
        ASSERT_FALSE(library) << "cut at " << bytes.size() * i / 200;
        EXPECT_THAT(message_of(library), Not(IsEmpty()));
        EXPECT_EQ(library.error()[0].file, folder_ / "libcut.so");
    }
    EXPECT_TRUE(stage_is_empty());
}

TEST_F(FileLoader, RefusesFilesThatAreNoPlugin) {
    write_file(folder_ / "libtext.so", "#!/bin/sh\nexit\n");
    EXPECT_THAT(refusal(folder_ / "libtext.so"), StartsWith("not an ELF file"));
    write_file(folder_ / "libarchive.so", "!<arch>\n");
    EXPECT_THAT(refusal(folder_ / "libarchive.so"), StartsWith("not an ELF file"));
    write_file(folder_ / "libtrue.so", read_file("/bin/true"));
    EXPECT_THAT(refusal(folder_ / "libtrue.so"), HasSubstr("an executable"));
    const auto library = loader_->open(test_plugin("companion"));
    EXPECT_EQ(message_of(library), "not a skep plugin: no skep note");
    EXPECT_THAT(hint_of(library), HasSubstr("skep_add_plugin"));
    EXPECT_THAT(refusal(folder_ / "missing.so"), StartsWith("cannot find the file"));
}

TEST_F(FileLoader, RefusesAFileThatOthersMayWrite) {
    write_file(folder_ / "libx.so", read_file(test_plugin("counts")));
    ASSERT_EQ(::chmod((folder_ / "libx.so").c_str(), 0775), 0);
    EXPECT_THAT(refusal(folder_ / "libx.so"), HasSubstr("may write"));
}

TEST_F(FileLoader, RefusesOtherAbisBeforeAnyCodeRuns) {
    EXPECT_THAT(refusal(with_note([](auto& note) { note.abi_major += 1; })),
                HasSubstr("the majors must be equal"));
    EXPECT_THAT(refusal(with_note([](auto& note) { note.lowest_host_minor = 100; })),
                HasSubstr("or newer"));
    EXPECT_THAT(refusal(with_note([](auto& note) { note.sanitizers ^= SKEP_SANITIZER_THREAD; })),
                HasSubstr("ThreadSanitizer"));
    EXPECT_TRUE(stage_is_empty());
}

TEST_F(FileLoader, RefusesAPluginWithoutEntry) {
    EXPECT_EQ(refusal(test_plugin("no_entry")),
              "it has a skep note but does not export skep_plugin_v1");
}

TEST_F(FileLoader, RefusesDescriptorsThatLieAndUnloadsThem) {
    EXPECT_THAT(refusal(test_plugin("entry_returns_null")), HasSubstr("is null"));
    EXPECT_THAT(refusal(test_plugin("descriptor_contradicts_note")),
                HasSubstr("org.skep.test.another_name"));
    EXPECT_TRUE(stage_is_empty());
}

// With RTLD_LAZY it would load, and end the process at the first call.
TEST_F(FileLoader, RefusesAnUndefinedSymbolByName) {
    const auto library = loader_->open(test_plugin("undefined_symbol"));
    EXPECT_EQ(message_of(library), "cannot be loaded: undefined symbol: skep_test_nobody_has_this");
    EXPECT_THAT(hint_of(library), HasSubstr("link"));
    EXPECT_TRUE(stage_is_empty());
}

TEST_F(FileLoader, FailsWithoutAPlaceForCopies) {
    EXPECT_THAT(message_of(host::FileLoader::create({folder_ / "missing"})),
                HasSubstr("cannot create a folder for private copies"));
}

// What a rollback rests on.
TEST_F(FileLoader, OpensAContentThatIsKeptThoughItsFileIsAnotherOneOrGone) {
    const std::string path = folder_ / "libanswers.so";
    std::filesystem::copy_file(test_plugin("answers_1"), path);
    auto first = open(path);
    const std::string content = first->info().content;
    loader_->keep({content});
    expect_unloads(first);
    std::filesystem::remove(path);
    std::filesystem::copy_file(test_plugin("answers_2"), path);
    for (int i = 0; i < 2; ++i) {
        Result<std::shared_ptr<Library>> again = loader_->open(path, content);
        ASSERT_TRUE(again) << message_of(again);
        EXPECT_EQ((*again)->path(), path);
        EXPECT_EQ(ask(*again), 1);
        expect_unloads(*again);
        std::filesystem::remove(path);
    }
    ASSERT_EQ(loader_->left().size(), 1U) << "one copy is enough";
    const LibraryFacts kept = loader_->left().front();
    EXPECT_EQ(kept.path, path);
    EXPECT_EQ(kept.content, content);
    EXPECT_EQ(kept.cause, "");
    EXPECT_EQ(kept.mapped, 0U);
    loader_->keep({});
    EXPECT_TRUE(loader_->left().empty());
    EXPECT_TRUE(stage_is_empty());
    EXPECT_FALSE(loader_->open(path, content));
}

}  // namespace
}  // namespace skep::host::file_loader_test
