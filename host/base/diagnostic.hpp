// Diagnostics: a mistake of a user or in a file, with its place, a description and a hint.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skep::host {

enum class Severity { error, warning };

// A place in a text file. Lines and columns count from 1; columns count bytes. Line 0 means the
// whole file.
struct SourceSpan {
    int line = 0;
    int column = 0;
    int length = 1;  // bytes to underline, at least 1

    bool operator==(const SourceSpan&) const = default;
};

// A message is one lower-case sentence without a full stop, with values in 'quotes'.
struct Diagnostic {
    Severity severity = Severity::error;
    std::string file;  // as the user wrote it; may be empty
    SourceSpan span;
    std::string message;         // what is wrong: "unknown key 'plugn' in [worker.a]"
    std::string hint;            // how to fix it: "did you mean 'plugin'?"; may be empty
    bool conceals_line = false;  // the line holds a secret and is not shown

    bool operator==(const Diagnostic&) const = default;
};

using Diagnostics = std::vector<Diagnostic>;

// Returns an error about a whole file, or about no file (file = "").
[[nodiscard]] Diagnostic error_about(std::string file, std::string message, std::string hint = {});

[[nodiscard]] bool has_errors(const Diagnostics& diagnostics);

// The lines of a text. The text must outlive this object. The cost of finding a line does not
// depend on its number: a file with 100,000 mistakes is rendered in one pass.
class SourceLines {
public:
    SourceLines() = default;
    explicit SourceLines(std::string_view source);

    // Returns the line without its end; empty when the text has no such line. The first line is 1.
    [[nodiscard]] std::string_view line(std::size_t number) const {
        return number >= 1 && number <= lines_.size() ? lines_[number - 1] : std::string_view{};
    }

private:
    std::vector<std::string_view> lines_;
};

// Renders a diagnostic like a compiler, with a newline at the end. `source` is the text of the
// file, or empty when no line is to be shown. A character that a terminal would not show becomes
// '?':
//
//   configs/a.toml:7:1: error: unknown key 'plugn' in [worker.parse]
//       7 | plugn = "regex"
//         | ^~~~~
//         = did you mean 'plugin'?
[[nodiscard]] std::string render(const Diagnostic& diagnostic, const SourceLines& source);
[[nodiscard]] std::string render(const Diagnostic& diagnostic, std::string_view source = {});

// Returns the candidate that is nearest to `word` by edit distance. Returns "" when none is near
// enough: at most a third of the word's letters may be wrong, or one letter of a short word, and at
// least one letter must be right. Upper and lower case are equal. Also returns "" when `word` is
// longer than any name should be.
[[nodiscard]] std::string nearest(std::string_view word,
                                  const std::vector<std::string>& candidates);

}  // namespace skep::host
