#include "host/topology/problems.hpp"

#include <algorithm>
#include <tuple>

#include "host/topology/units.hpp"

namespace skep::host {

void Problems::error(const SourceSpan& span, std::string message, std::string hint) {
    diagnostics_.push_back({Severity::error, file_, span, std::move(message), std::move(hint)});
}

void Problems::warning(const SourceSpan& span, std::string message, std::string hint) {
    diagnostics_.push_back({Severity::warning, file_, span, std::move(message), std::move(hint)});
}

Diagnostics Problems::errors() const {
    return of(Severity::error);
}

Diagnostics Problems::warnings() const {
    return of(Severity::warning);
}

Diagnostics Problems::of(Severity severity) const {
    Diagnostics result;
    std::copy_if(diagnostics_.begin(),
                 diagnostics_.end(),
                 std::back_inserter(result),
                 [&](const Diagnostic& diagnostic) { return diagnostic.severity == severity; });
    for (Diagnostic& diagnostic : result) {
        diagnostic.conceals_line = concealed_.count(diagnostic.span.line) > 0;
    }
    std::stable_sort(result.begin(), result.end(), [](const Diagnostic& a, const Diagnostic& b) {
        return std::tie(a.span.line, a.span.column) < std::tie(b.span.line, b.span.column);
    });
    return result;
}

std::string list_of(const std::vector<std::string>& names) {
    constexpr std::size_t most = 12;
    const std::size_t shown = std::min(names.size(), most);
    std::string list;
    for (std::size_t i = 0; i < shown; ++i) {
        if (i > 0) {
            list += i + 1 == names.size() ? " and " : ", ";
        }
        list += "'" + names[i] + "'";
    }
    if (shown < names.size()) {
        list += " and " + std::to_string(names.size() - shown) + " more";
    }
    return list;
}

std::string suggestion(std::string_view word,
                       const std::vector<std::string>& candidates,
                       std::string_view what) {
    const std::string noun(what);
    const std::string all = candidates.empty() ? "there are no " + noun + "s"
                            : candidates.size() == 1
                                ? "the only " + noun + " is " + list_of(candidates)
                                : "the " + noun + "s are " + list_of(candidates);
    const std::string meant = nearest(word, candidates);
    return meant.empty() ? all : "did you mean '" + meant + "'? " + all;
}

std::string describe(const ConfigLeaf& leaf) {
    constexpr std::size_t most = 40;
    if (const auto* text = std::get_if<std::string>(&leaf)) {
        return "the string \"" + (text->size() <= most ? *text : text->substr(0, most) + "...") +
               "\"";
    }
    if (const auto* integer = std::get_if<std::int64_t>(&leaf)) {
        return "the integer " + std::to_string(*integer);
    }
    if (const auto* number = std::get_if<double>(&leaf)) {
        return "the float " + number_text(*number);
    }
    return std::get<bool>(leaf) ? "the boolean true" : "the boolean false";
}

}  // namespace skep::host
