#include "host/loader/descriptor_rules.hpp"

#include <cctype>
#include <cstring>

namespace skep::host {

bool is_descriptor_name(std::string_view text) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
           std::all_of(text.begin(), text.end(), fits);
}

bool is_plugin_id(std::string_view text) {
    const auto fits = [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
    };
    return !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) != 0 &&
           text.back() != '.' && text.find("..") == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), fits);
}

bool is_semantic_version(std::string_view text) {
    for (int part = 0; part < 3; ++part) {
        const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
        if (digits == 0) {
            return false;
        }
        text.remove_prefix(digits);
        if (part < 2) {
            if (!text.starts_with('.')) {
                return false;
            }
            text.remove_prefix(1);
        }
    }
    return text.empty() || text.front() == '-' || text.front() == '+';
}

void DescriptorRules::complain(const std::string& what) {
    problems_.push_back(error_about(file_, "its descriptor breaks a rule of skep/abi.h: " + what));
}

std::string DescriptorRules::optional_text(const char* text, const std::string& what) {
    if (text == nullptr) {
        return {};
    }
    constexpr std::size_t text_limit = 4096;
    const std::size_t size = ::strnlen(text, text_limit + 1);
    if (size > text_limit) {
        complain(what + " is longer than " + std::to_string(text_limit) + " bytes");
        return {};
    }
    return {text, size};
}

std::string DescriptorRules::text(const char* text, const std::string& what) {
    if (text == nullptr) {
        complain(what + " is null");
    }
    return optional_text(text, what);
}

void DescriptorRules::check_equal(const std::string& what,
                                  const std::string& here,
                                  const std::string& note) {
    if (here != note) {
        complain(what + " is '" + here + "', but its note says '" + note + "'");
    }
}

}  // namespace skep::host
