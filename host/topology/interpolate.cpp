#include "host/topology/interpolate.hpp"

#include <cstdlib>

#include "host/base/result.hpp"

namespace skep::host {
namespace {

constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
constexpr std::string_view letters_and_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

// Returns the value of the reference between the braces, or the reason why it has none.
Result<std::string, InterpolationError> value_of(std::string_view reference,
                                                 const Environment& environment) {
    const auto wrong = [](std::string message, std::string hint) {
        return Unexpected(InterpolationError{0, 0, std::move(message), std::move(hint)});
    };
    const std::size_t name_end =
        std::min(reference.find_first_not_of(letters_and_digits), reference.size());
    const std::string name(reference.substr(0, name_end));
    const std::string_view rest = reference.substr(name_end);
    const std::string_view form = rest.substr(0, 2);
    if (name.empty() || letters.find(name.front()) == std::string_view::npos) {
        return wrong("'${" + std::string(reference) + "}' does not name a variable",
                     "write ${NAME} for a variable, $${ for the text '${'");
    }
    if (!rest.empty() && form != ":-" && form != ":?") {
        return wrong("'${" + std::string(reference) + "}' is not a valid reference",
                     "write ${" + name + "}, ${" + name + ":-default} or ${" + name + ":?message}");
    }

    const std::optional<std::string> value = environment(name);
    if (rest.empty()) {
        if (value) {
            return *value;
        }
        return wrong("the environment variable '" + name + "' is not set",
                     "set it, or give a default: ${" + name + ":-default}");
    }
    if (value && !value->empty()) {
        return *value;
    }
    const std::string word(rest.substr(2));
    if (form == ":-") {
        return word;
    }
    const std::string missing =
        "the environment variable '" + name + (value ? "' is empty" : "' is not set");
    return wrong(word.empty() ? missing : missing + ": " + word, "set it before starting skep");
}

}  // namespace

Interpolated interpolate(std::string_view text, const Environment& environment) {
    Interpolated result;
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t dollar = std::min(text.find('$', at), text.size());
        result.text += text.substr(at, dollar - at);
        at = dollar;
        const std::string_view rest = text.substr(dollar);
        if (rest.substr(0, 2) == "$$") {
            result.text += '$';
            at += 2;
        } else if (rest.substr(0, 2) == "${") {
            result.changed = true;
            const std::size_t close = rest.find('}');
            const std::size_t inner = rest.find("${", 2);
            if (inner < close) {
                // The intended end of the outer reference is unknown: the rest is not examined.
                result.errors.push_back({dollar + inner,
                                         std::min(close, rest.size()) - inner,
                                         "'${' inside of '${...}' is not supported",
                                         "set one variable to the whole value instead"});
                return result;
            }
            if (close == std::string_view::npos) {
                result.errors.push_back({dollar,
                                         rest.size(),
                                         "'${' is never closed",
                                         "add the '}', or write $${ for the text '${'"});
                return result;
            }
            auto value = value_of(rest.substr(2, close - 2), environment);
            if (value) {
                result.text += *value;
            } else {
                value.error().offset = dollar;
                value.error().length = close + 1;
                result.errors.push_back(std::move(value.error()));
            }
            at += close + 1;
        } else if (!rest.empty()) {
            result.text += '$';
            ++at;
        }
    }
    return result;
}

std::optional<std::string> process_environment(const std::string& name) {
    const char* const value = std::getenv(name.c_str());
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace skep::host
