#include "host/loader/abi_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/plugin_files.hpp"

namespace skep::host {
namespace {

using testing::HasSubstr;

skep_note fitting_note() {
    skep_note note{};
    note.format = SKEP_NOTE_FORMAT;
    note.abi_major = SKEP_ABI_MAJOR;
    note.abi_minor = SKEP_ABI_MINOR;
    note.lowest_host_minor = SKEP_ABI_LOWEST_HOST_MINOR;
    note.pointer_bits = sizeof(void*) * 8;
    note.sanitizers = SKEP_THIS_SANITIZERS;
    return note;
}

const std::string host_version =
    std::to_string(SKEP_ABI_MAJOR) + "." + std::to_string(SKEP_ABI_MINOR);

TEST(AbiCheck, AcceptsWhatWasBuiltWithTheHostsHeaders) {
    EXPECT_TRUE(check_abi(fitting_note(), "x.so"));
}

TEST(AbiCheck, AcceptsANewerPluginThatCanDoWithThisHost) {
    skep_note note = fitting_note();
    note.abi_minor = SKEP_ABI_MINOR + 7;
    note.lowest_host_minor = SKEP_ABI_MINOR;
    EXPECT_TRUE(check_abi(note, "x.so"));
}

TEST(AbiCheck, RefusesAnotherMajorWithBothNumbers) {
    skep_note note = fitting_note();
    note.abi_major = SKEP_ABI_MAJOR + 1;
    note.abi_minor = 4;
    const auto result = check_abi(note, "x.so");
    EXPECT_THAT(message_of(result),
                HasSubstr("plugin ABI " + std::to_string(SKEP_ABI_MAJOR + 1) + ".4"));
    EXPECT_THAT(message_of(result), HasSubstr("this host has " + host_version));
    EXPECT_THAT(hint_of(result), HasSubstr("newer skep"));
}

TEST(AbiCheck, RefusesAPluginThatNeedsANewerHost) {
    skep_note note = fitting_note();
    note.abi_minor = note.lowest_host_minor = SKEP_ABI_MINOR + 1;
    const auto result = check_abi(note, "x.so");
    EXPECT_THAT(message_of(result),
                HasSubstr("needs a host with plugin ABI " + std::to_string(SKEP_ABI_MAJOR) + "." +
                          std::to_string(SKEP_ABI_MINOR + 1)));
    EXPECT_THAT(message_of(result), HasSubstr(host_version));
}

TEST(AbiCheck, RefusesAPluginThatIsTooOldForThisHost) {
    skep_note note = fitting_note();
    note.lowest_host_minor = 0;
    note.abi_minor = SKEP_ABI_LOWEST_PLUGIN_MINOR - 1;
    const auto result = check_abi(note, "x.so");
    EXPECT_THAT(message_of(result), HasSubstr("and newer"));
    EXPECT_THAT(hint_of(result),
                HasSubstr("rebuild the plugin with the headers of skep " SKEP_VERSION_STRING));
}

TEST(AbiCheck, RefusesOtherPointers) {
    skep_note note = fitting_note();
    note.pointer_bits = 32;
    EXPECT_THAT(message_of(check_abi(note, "x.so")), HasSubstr("32 bits, this host has 64"));
}

TEST(AbiCheck, RefusesOtherSanitizersByName) {
    skep_note note = fitting_note();
    note.sanitizers ^= SKEP_SANITIZER_ADDRESS;
    EXPECT_THAT(message_of(check_abi(note, "x.so")), HasSubstr("AddressSanitizer"));
    note.sanitizers ^= SKEP_SANITIZER_ADDRESS | SKEP_SANITIZER_THREAD;
    EXPECT_THAT(message_of(check_abi(note, "x.so")), HasSubstr("ThreadSanitizer"));
}

}  // namespace
}  // namespace skep::host
