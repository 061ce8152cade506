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

namespace skep::host {

using Bytes = std::vector<std::byte>;

// A folder, mode 0700, that goes with its owner.
class TempFolder {
public:
    TempFolder()
        : path_(testing::TempDir() + "skep-test.XXXXXX") {
        if (::mkdtemp(path_.data()) == nullptr) {
            ADD_FAILURE() << "no temporary folder " << path_;
        }
    }

    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }

    [[nodiscard]] std::string operator/(const std::string& name) const {
        return path_ + "/" + name;
    }

private:
    std::string path_;
};

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
