#include "host/loader/elf_file.hpp"

#include <cstring>
#include <random>

#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/loader/elf_image.hpp"
#include "tests/support/plugin_files.hpp"

namespace skep::host {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

Bytes bytes_of(const std::string& text) {
    const auto view = std::as_bytes(std::span(text));
    return {view.begin(), view.end()};
}

// A plugin with one change in its ELF header.
template <typename Change>
Bytes with_header(Change change) {
    Bytes bytes = read_file(test_plugin("counts"));
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    change(header);
    std::memcpy(bytes.data(), &header, sizeof(header));
    return bytes;
}

// A plugin with one change in its first program header of that type.
template <typename Change>
Bytes with_segment(std::uint32_t type, Change change) {
    Bytes bytes = read_file(test_plugin("counts"));
    Elf64_Ehdr header;
    std::memcpy(&header, bytes.data(), sizeof(header));
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        std::byte* const place = bytes.data() + header.e_phoff + i * sizeof(Elf64_Phdr);
        Elf64_Phdr segment;
        std::memcpy(&segment, place, sizeof(segment));
        if (segment.p_type == type) {
            change(segment);
            std::memcpy(place, &segment, sizeof(segment));
            return bytes;
        }
    }
    ADD_FAILURE() << "no segment of type " << type;
    return bytes;
}

std::string refusal(const Bytes& bytes) {
    return message_of(read_elf(bytes, "x.so"));
}

TEST(ElfFile, ReadsTheNoteWithoutRunningAnything) {
    const auto facts = read_elf(read_file(test_plugin("counts")), "counts");
    ASSERT_TRUE(facts) << message_of(facts);
    ASSERT_TRUE(facts->note);
    EXPECT_STREQ(facts->note->plugin_id, "org.skep.test.counts");
    EXPECT_STREQ(facts->note->plugin_version, "1.0.0");
    EXPECT_EQ(facts->note->abi_major, SKEP_ABI_MAJOR);
    EXPECT_EQ(facts->note->abi_minor, SKEP_ABI_MINOR);
    EXPECT_EQ(facts->note->pointer_bits, sizeof(void*) * 8);
}

TEST(ElfFile, ReadsWhatDecidesOnLoadingAndUnloading) {
    const auto facts = read_elf(read_file(test_plugin("counts")), "counts");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_TRUE(facts->exports_entry);
    EXPECT_FALSE(facts->nodelete);
    EXPECT_FALSE(facts->static_tls);
    EXPECT_FALSE(facts->thread_exits);
    EXPECT_THAT(facts->unique_symbols, IsEmpty());
    EXPECT_THAT(facts->needed, Contains(StartsWith("libc.so")));
    EXPECT_GE(facts->build_id.size(), 16U);
    EXPECT_GT(facts->extent, 4096U);
}

TEST(ElfFile, SeesThatThereIsNoEntry) {
    const auto facts = read_elf(read_file(test_plugin("no_entry")), "no_entry");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_TRUE(facts->note);
    EXPECT_FALSE(facts->exports_entry);
}

TEST(ElfFile, SeesTheNodeleteFlag) {
    const auto facts = read_elf(read_file(test_plugin("nodelete")), "nodelete");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_TRUE(facts->nodelete);
}

TEST(ElfFile, SeesThreadLocalsWithDestructors) {
    const auto facts = read_elf(read_file(test_plugin("thread_local_destructor")), "x.so");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_TRUE(facts->thread_exits);
}

TEST(ElfFile, SeesStaticThreadLocalStorage) {
    const auto facts = read_elf(read_file(test_plugin("static_tls")), "x.so");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_TRUE(facts->static_tls);
}

TEST(ElfFile, NamesUniqueSymbols) {
#if defined(__clang__)
    GTEST_SKIP() << "clang never marks a symbol STB_GNU_UNIQUE";
#endif
    const auto facts = read_elf(read_file(test_plugin("inline_static_naive")), "x.so");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_THAT(facts->unique_symbols, Contains("_ZN9skep_test7counterE"));
}

TEST(ElfFile, FindsTheUniqueSymbolsOfTheStandardLibraryThatHidingOnesOwnLeavesThere) {
#if defined(__clang__)
    GTEST_SKIP() << "clang never marks a symbol STB_GNU_UNIQUE";
#endif
    const auto facts = read_elf(read_file(test_plugin("make_shared_naive")), "x.so");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_THAT(facts->unique_symbols, Contains(HasSubstr("St19_Sp_make_shared_tag")));
}

TEST(ElfFile, FindsNoUniqueSymbolInWhatSkepAddPluginBuilds) {
    for (const char* name : {"inline_static", "make_shared", "many_statics"}) {
        const auto facts = read_elf(read_file(test_plugin(name)), name);
        ASSERT_TRUE(facts) << message_of(facts);
        EXPECT_THAT(facts->unique_symbols, IsEmpty()) << name;
    }
}

TEST(ElfFile, ReadsALibraryThatIsNoPlugin) {
    const auto facts = read_elf(read_file(test_plugin("companion").c_str()), "libcompanion.so");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_FALSE(facts->note);
    EXPECT_EQ(facts->soname, "libcompanion.so");
}

TEST(ElfFile, RefusesWhatIsNotElfAndQuotesItsStart) {
    EXPECT_EQ(refusal({}), "the file is empty");
    EXPECT_EQ(refusal(bytes_of("#!/bin/sh\n")), "not an ELF file: it starts with '#!/bin/s'");
    EXPECT_EQ(refusal(bytes_of("\x01\x02q")), "not an ELF file: it starts with '..q'");
    const auto archive = read_elf(bytes_of("!<arch>\nx/  "), "libx.a");
    EXPECT_THAT(message_of(archive), HasSubstr("'!<arch>.'"));
    EXPECT_THAT(hint_of(archive), HasSubstr("static library"));
}

TEST(ElfFile, RefusesOtherMachines) {
    EXPECT_THAT(refusal(with_header([](auto& header) { header.e_machine = EM_ARM; })),
                StartsWith("built for ARM, this host is "));
    EXPECT_THAT(refusal(with_header([](auto& header) { header.e_machine = 4711; })),
                StartsWith("built for machine 4711, this host is "));
    EXPECT_THAT(refusal(with_header([](auto& header) { header.e_ident[EI_CLASS] = ELFCLASS32; })),
                StartsWith("built for 32 bits"));
    EXPECT_THAT(refusal(with_header([](auto& header) { header.e_ident[EI_DATA] = ELFDATA2MSB; })),
                StartsWith("built for a big-endian machine"));
}

TEST(ElfFile, RefusesWhatIsNotASharedObject) {
    EXPECT_EQ(refusal(with_header([](auto& header) { header.e_type = ET_REL; })),
              "not a shared object but an object file (.o)");
    EXPECT_EQ(refusal(with_header([](auto& header) { header.e_type = ET_EXEC; })),
              "not a shared object but an executable");
    EXPECT_THAT(refusal(read_file("/proc/self/exe")), HasSubstr("an executable"));
}

TEST(ElfFile, RefusesAnExecutableStack) {
    EXPECT_EQ(refusal(with_segment(PT_GNU_STACK, [](auto& segment) { segment.p_flags |= PF_X; })),
              "it asks for an executable stack");
    // Without the header, the stack is executable by default.
    EXPECT_EQ(refusal(with_segment(PT_GNU_STACK, [](auto& segment) { segment.p_type = PT_NULL; })),
              "it asks for an executable stack");
}

TEST(ElfFile, RefusesTextRelocations) {
    Bytes bytes = read_file(test_plugin("counts"));
    const auto image = ElfImage::open(bytes, "x.so");
    ASSERT_TRUE(image);
    const std::size_t dynamic = [&] {
        std::size_t offset = 0;
        static_cast<void>(
            with_segment(PT_DYNAMIC, [&](auto& segment) { offset = segment.p_offset; }));
        return offset;
    }();
    // In place of the last entry but the end; what the plugin loses with it does not come into
    // this.
    const std::size_t entry = dynamic + (image->dynamic_table().size() - 2) * sizeof(Elf64_Dyn);
    const Elf64_Dyn textrel{DT_TEXTREL, {0}};
    std::memcpy(bytes.data() + entry, &textrel, sizeof(textrel));
    EXPECT_EQ(refusal(bytes), "it has text relocations");
}

TEST(ElfFile, RefusesASegmentThatEndsBeyondTheFile) {
    const Bytes bytes = with_segment(PT_LOAD, [](auto& segment) {
        segment.p_filesz = 1U << 30U;
        segment.p_memsz = 1U << 30U;
    });
    EXPECT_EQ(refusal(bytes),
              "the file is truncated: segment 0 takes 1073741824 bytes from byte 0, the file ends "
              "at byte " +
                  std::to_string(bytes.size()));
}

TEST(ElfFile, RefusesANoteOfTheWrongSize) {
    const Bytes bytes = with_segment(PT_NOTE, [](auto& segment) {
        segment.p_filesz -= 4;
        segment.p_memsz -= 4;
    });
    EXPECT_THAT(refusal(bytes), HasSubstr("a note reaches beyond its segment"));
}

constexpr std::uint64_t away = std::uint64_t{1} << 40U;

// dlopen reads and protects these where they say, also where nothing of the file is: a child
// process that tries it may have something else there than the host.
TEST(ElfFile, RefusesTablesThatLieOutsideOfWhatIsLoaded) {
    const auto astray = HasSubstr("is not in a loaded segment");
    for (const std::uint32_t type : {PT_GNU_RELRO, PT_GNU_EH_FRAME, PT_NOTE, PT_DYNAMIC}) {
        EXPECT_THAT(refusal(with_segment(type, [](auto& it) { it.p_vaddr += away; })), astray);
        EXPECT_THAT(refusal(with_segment(type, [](auto& it) { it.p_memsz += away; })), astray);
    }
    EXPECT_THAT(refusal(with_segment(PT_NOTE, [](auto& it) { it.p_type = PT_PHDR; })), astray);
    const auto tls = [](auto& it) {
        it.p_type = PT_TLS;
        it.p_memsz = it.p_filesz - 1;
    };
    EXPECT_THAT(refusal(with_segment(PT_NOTE, tls)), astray);
}

TEST(ElfFile, RefusesASegmentThatIsLoadedOtherwiseThanItWasLinked) {
    const auto misplaced = HasSubstr("is not where its segment is loaded");
    const auto shorter = [](auto& it) {
        it.p_filesz = 16;
        it.p_memsz = 16;
    };
    EXPECT_THAT(refusal(with_segment(PT_LOAD, shorter)), misplaced);
    EXPECT_THAT(refusal(with_segment(PT_LOAD, [](auto& it) { it.p_offset += 0x1000; })), misplaced);
    EXPECT_THAT(refusal(with_segment(PT_LOAD, [](auto& it) { it.p_align = 0x3000; })),
                HasSubstr("segment 0 has an impossible alignment"));
}

#if defined(__x86_64__)
// As compilers do it that protect the flow of control, which some distributions have for default.
TEST(ElfFile, ReadsNotesThatAreAlignedToEightBytes) {
    const Bytes bytes = read_file(test_plugin("protected_flow"));
    const auto image = ElfImage::open(bytes, "x.so");
    ASSERT_TRUE(image);
    EXPECT_THAT(image->notes(), Contains(testing::Field(&Elf64_Phdr::p_align, 8)));
    const auto facts = read_elf(bytes, "x.so");
    ASSERT_TRUE(facts) << message_of(facts);
    EXPECT_TRUE(facts->note);
}
#endif

TEST(ElfFile, RefusesEveryCutPlugin) {
    for (const char* name : {"counts", "many_statics"}) {
        const Bytes bytes = read_file(test_plugin(name));
        for (std::size_t i = 0; i < 200; ++i) {
            const std::size_t size = bytes.size() * i / 200;
            const auto facts = read_elf(std::span(bytes).first(size), "cut.so");
            ASSERT_FALSE(facts) << name << " cut at " << size << " of " << bytes.size();
            EXPECT_THAT(message_of(facts), Not(IsEmpty()));
        }
        EXPECT_FALSE(read_elf(std::span(bytes).first(bytes.size() - 1), "cut.so"));
    }
}

// A file of full length of which the tail was not written yet: dlopen crashes on most of them.
TEST(ElfFile, RefusesEveryPluginWithABlankTail) {
    for (const char* name : {"counts", "many_statics"}) {
        const Bytes whole = read_file(test_plugin(name));
        for (std::size_t i = 0; i < 200; ++i) {
            const std::size_t size = whole.size() * i / 200;
            Bytes bytes = whole;
            std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end(), std::byte{0});
            EXPECT_FALSE(read_elf(bytes, "blank.so")) << name << " blank from " << size;
        }
    }
}

// What it answers does not matter, as long as it answers: sanitizers see a read that goes astray.
TEST(ElfFile, SurvivesAnyChangeOfOneByteInItsTables) {
    const Bytes whole = read_file(test_plugin("many_statics"));
    const auto image = ElfImage::open(whole, "x.so");
    ASSERT_TRUE(image);
    std::mt19937 random(20240229);
    std::uniform_int_distribution<std::size_t> in_headers(0, 1024);
    std::uniform_int_distribution<std::size_t> anywhere(0, whole.size() - 1);
    std::uniform_int_distribution<int> value(0, 255);
    for (int i = 0; i < 2000; ++i) {
        // An exact copy on the heap, so that AddressSanitizer knows where it ends.
        Bytes bytes = whole;
        const std::size_t place = i % 2 == 0 ? in_headers(random) : anywhere(random);
        bytes[place] = static_cast<std::byte>(value(random));
        const auto facts = read_elf(bytes, "x.so");
        EXPECT_TRUE(facts || !message_of(facts).empty());
    }
}

TEST(ElfFile, SurvivesAnyChangeOfOneWordInItsDynamicTable) {
    const Bytes whole = read_file(test_plugin("counts"));
    std::size_t dynamic = 0, size = 0;
    static_cast<void>(with_segment(PT_DYNAMIC, [&](auto& segment) {
        dynamic = segment.p_offset;
        size = segment.p_filesz;
    }));
    for (std::size_t place = dynamic; place < dynamic + size; place += 8) {
        for (const std::uint64_t value : {std::uint64_t{0},
                                          std::uint64_t{1},
                                          whole.size() - 1,
                                          std::uint64_t{0x7fffffff},
                                          std::uint64_t{DT_GNU_HASH},
                                          UINT64_MAX - 7,
                                          UINT64_MAX}) {
            Bytes bytes = whole;
            std::memcpy(bytes.data() + place, &value, sizeof(value));
            const auto facts = read_elf(bytes, "x.so");
            EXPECT_TRUE(facts || !message_of(facts).empty());
        }
    }
}

}  // namespace
}  // namespace skep::host
