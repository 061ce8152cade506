// A mistake of the user's, or of a file, told so that it can be mended: where, what, and what to
// do.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skep::host {

enum class Severity { error, warning };

// A place in a text file. Lines and columns count from 1; columns count bytes. Line 0: the file as
// a whole.
struct SourceSpan {
    int line = 0;
    int column = 0;
    int length = 1;  // bytes to underline, at least 1

    bool operator==(const SourceSpan&) const = default;
};

// Messages are one lower-case sentence without a full stop; values stand in 'quotes'.
struct Diagnostic {
    Severity severity = Severity::error;
    std::string file;  // as the user wrote it; may be empty
    SourceSpan span;
    std::string message;         // what is wrong: "unknown key 'plugn' in [worker.a]"
    std::string hint;            // what to do about it: "did you mean 'plugin'?"; may be empty
    bool conceals_line = false;  // the line holds a secret, and is not shown

    bool operator==(const Diagnostic&) const = default;
};

using Diagnostics = std::vector<Diagnostic>;

// Builds the common one: an error about a file as a whole, or about no file (file = "").
[[nodiscard]] Diagnostic error_about(std::string file, std::string message, std::string hint = {});

[[nodiscard]] bool has_errors(const Diagnostics& diagnostics);

// The lines of a text, which must outlive it. Finding one costs the same wherever it stands, so
// that a file with 100,000 mistakes is rendered in one pass.
class SourceLines {
public:
    SourceLines() = default;
    explicit SourceLines(std::string_view source);

    // The line without its end; empty when the text has no such line. The first line is 1.
    [[nodiscard]] std::string_view line(std::size_t number) const {
        return number >= 1 && number <= lines_.size() ? lines_[number - 1] : std::string_view{};
    }

private:
    std::vector<std::string_view> lines_;
};

// Renders as compilers do, ending with a newline; `source` is the text of the file, or empty when
// there is no line to show. What a terminal would not show as a character stands as '?':
//
//   configs/a.toml:7:1: error: unknown key 'plugn' in [worker.parse]
//       7 | plugn = "regex"
//         | ^~~~~
//         = did you mean 'plugin'?
[[nodiscard]] std::string render(const Diagnostic& diagnostic, const SourceLines& source);
[[nodiscard]] std::string render(const Diagnostic& diagnostic, std::string_view source = {});

// The candidate nearest to `word` by edit distance, or "" when none is near enough to be what was
// meant (at most a third of the word's letters wrong, or one of a short word, and at least one
// letter right; capitals count as right), or when `word` is longer than any name should be.
[[nodiscard]] std::string nearest(std::string_view word,
                                  const std::vector<std::string>& candidates);

}  // namespace skep::host
