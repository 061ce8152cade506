// Files and folders for the tests of the loader.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "host/base/result.hpp"
#include "tests/support/temp_folder.hpp"

namespace skep::host {

using Bytes = std::vector<std::byte>;

using test::TempFolder;

inline std::string test_plugin(const std::string& name) {
    return std::string(SKEP_TEST_PLUGIN_DIR) + "/lib" + name + ".so";
}

inline Bytes read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file) << path;
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
}

// Writes a file that only its owner may write to.
inline void write_file(const std::string& path, std::span<const std::byte> bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    EXPECT_TRUE(file) << path;
    EXPECT_EQ(::chmod(path.c_str(), 0644), 0);
}

inline void write_file(const std::string& path, const std::string& text) {
    write_file(path, std::as_bytes(std::span(text)));
}

// The first message of a Result that failed; "" when it did not.
template <typename T>
std::string message_of(const Result<T>& result) {
    return result ? "" : result.error().at(0).message;
}

template <typename T>
std::string hint_of(const Result<T>& result) {
    return result ? "" : result.error().at(0).hint;
}

}  // namespace skep::host
