// The parts of describe(): rules for every struct, list, text and name of a descriptor, and the
// list of broken rules. Only for describe.cpp.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <skep/abi.h>

#include "host/base/result.hpp"

namespace skep::host {

// More entries than any plugin has. A larger count is wrong, and following it would read invalid
// memory.
inline constexpr std::uint32_t descriptor_count_limit = 1024;

// [a-z][a-z0-9_]*
[[nodiscard]] bool is_descriptor_name(std::string_view text);
// Letters, digits, '-', '_' and '.'; the first is a letter, no dot is at the end or beside another.
[[nodiscard]] bool is_plugin_id(std::string_view text);
// Three numbers, then optionally a pre-release or build part.
[[nodiscard]] bool is_semantic_version(std::string_view text);

class DescriptorRules {
protected:
    explicit DescriptorRules(const std::string& file)
        : file_(file) {}

    [[nodiscard]] Diagnostics& problems() { return problems_; }

    void complain(const std::string& what);

    // Checks the common fields of a struct. Returns false if no other field may be read. `least` is
    // its size in the lowest minor that the host still runs.
    template <typename T>
    bool check_struct(const T* value, const std::string& what, std::size_t least = sizeof(T)) {
        if (value == nullptr) {
            complain(what + " is null");
            return false;
        }
        if (value->size < least) {
            complain(what + " has size " + std::to_string(value->size) + ", expected at least " +
                     std::to_string(least));
            return false;
        }
        const std::uint32_t unknown = value->flags & ~(SKEP_MUST_UNDERSTAND - 1);
        if (unknown != 0) {
            complain(what + " has flag " + std::to_string(unknown) +
                     ", which this host does not know and must understand");
        }
        return true;
    }

    template <typename T>
    bool check_list(const T* list, std::uint32_t count, const std::string& what) {
        if (count > descriptor_count_limit) {
            complain(what + " has " + std::to_string(count) + " entries, the limit is " +
                     std::to_string(descriptor_count_limit));
            return false;
        }
        if (count > 0 && list == nullptr) {
            complain(what + " is null, but its count is " + std::to_string(count));
            return false;
        }
        return true;
    }

    // Returns "" for null.
    std::string optional_text(const char* text, const std::string& what);

    std::string text(const char* text, const std::string& what);

    // Returns a name that must be unique in its list.
    template <typename Info>
    std::string name(const char* given, const std::string& what, const std::vector<Info>& before) {
        std::string result = text(given, "the name of " + what);
        if (given != nullptr && !is_descriptor_name(result)) {
            complain("the name '" + result + "' of " + what +
                     " is not of the form [a-z][a-z0-9_]*");
        }
        if (std::any_of(before.begin(), before.end(), [&](const Info& other) {
                return other.name == result;
            })) {
            complain("the name '" + result + "' of " + what + " is used twice");
        }
        return result;
    }

    void check_equal(const std::string& what, const std::string& here, const std::string& note);

private:
    const std::string& file_;
    Diagnostics problems_;
};

}  // namespace skep::host
