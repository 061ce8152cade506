// What the steps from a file to a plan share in order to say what is wrong, all of it, in the same
// words.
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
    // `before`: what has been found in the file already.
    explicit Problems(std::string file, Diagnostics before = {})
        : file_(std::move(file)),
          diagnostics_(std::move(before)) {}

    void error(const SourceSpan& span, std::string message, std::string hint = {});
    void warning(const SourceSpan& span, std::string message, std::string hint = {});

    // A secret stands in this line: whatever is wrong there, it is not to be shown.
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

// "'a', 'b' and 'c'"; a long list is cut.
[[nodiscard]] std::string list_of(const std::vector<std::string>& names);

// The hint for a name that is not one of `candidates`, each of which is a `what` ("parameter"):
// "did you mean 'pattern'? the parameters are 'limit' and 'pattern'".
[[nodiscard]] std::string suggestion(std::string_view word,
                                     const std::vector<std::string>& candidates,
                                     std::string_view what);

// "the integer 5", "the string \"abc\"".
[[nodiscard]] std::string describe(const ConfigLeaf& leaf);

}  // namespace skep::host
