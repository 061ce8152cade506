// Collects all errors and warnings on the way from a file to a plan, in uniform words.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/diagnostic.hpp"
#include "host/topology/topology.hpp"

namespace skep::host {

// Collects the diagnostics of one file.
class Problems {
public:
    // `before`: the diagnostics that were already found in the file.
    explicit Problems(std::string file, Diagnostics before = {})
        : file_(std::move(file)),
          diagnostics_(std::move(before)) {}

    void error(const SourceSpan& span, std::string message, std::string hint = {});
    void warning(const SourceSpan& span, std::string message, std::string hint = {});

    // Marks a line that contains a secret: no diagnostic shows this line.
    void conceal(int line) { concealed_.insert(line); }

    [[nodiscard]] bool has_errors() const { return host::has_errors(diagnostics_); }

    [[nodiscard]] Diagnostics errors() const;  // in the order of the file
    [[nodiscard]] Diagnostics warnings() const;

private:
    [[nodiscard]] Diagnostics of(Severity severity) const;

    const std::string file_;
    Diagnostics diagnostics_;
    std::set<int> concealed_;  // lines
};

// Returns "'a', 'b' and 'c'"; a long list is cut.
[[nodiscard]] std::string list_of(const std::vector<std::string>& names);

// Returns the hint for a name that is not one of `candidates`. `what` is the noun for them
// ("parameter"): "did you mean 'pattern'? the parameters are 'limit' and 'pattern'".
[[nodiscard]] std::string suggestion(std::string_view word,
                                     const std::vector<std::string>& candidates,
                                     std::string_view what);

// Returns "the integer 5", "the string \"abc\"".
[[nodiscard]] std::string describe(const ConfigLeaf& leaf);

}  // namespace skep::host
