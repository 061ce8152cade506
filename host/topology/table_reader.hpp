// Reads the keys of one TOML table, each with the type that the schema requires. Reports all
// mistakes: a value of another type or out of range, a missing key, and an unknown key.
//
// Every read returns the value, or nothing when the key is absent or wrong. A wrong value has been
// reported then, and the caller continues with the next key.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/topology/document.hpp"
#include "host/topology/problems.hpp"
#include "host/topology/topology.hpp"

namespace skep::host {

// A string after interpolation.
struct ReadString {
    std::string text;
    bool interpolated = false;
};

[[nodiscard]] std::optional<ReadString> read_string(const TomlString& string,
                                                    const SourceSpan& span,
                                                    const Environment& environment,
                                                    Problems& problems);

// Reports a NUL in a text that a plugin or the system may take for a name. A function that reads it
// as a C string would see only the text before it, and open another file. `subject`: "'plugin'".
[[nodiscard]] bool is_cut_by_null(std::string_view text,
                                  const std::string& subject,
                                  const SourceSpan& span,
                                  Problems& problems);

// Returns "the integer 5", "an array", "a table".
[[nodiscard]] std::string describe(const TomlNode& node);

class TableReader {
public:
    // `where` names the table in messages: "[worker.a]". All arguments must outlive the reader.
    TableReader(const TomlTable& table,
                const SourceSpan& span,
                std::string where,
                const Environment& environment,
                Problems& problems);

    // Finds a key; it may be called twice for one key. Returns null when the key is absent.
    [[nodiscard]] const TomlMember* find(std::string_view key);
    // The same, but finish() reports an absent key; `example` is the text to add.
    [[nodiscard]] const TomlMember* require(std::string_view key, std::string_view example);

    // A string that is not empty and has no NUL.
    [[nodiscard]] std::optional<Located<std::string>> word(std::string_view key);
    // Any string.
    [[nodiscard]] std::optional<Located<std::string>> text(std::string_view key);
    // One word or an array of words; an empty array is an error.
    [[nodiscard]] std::vector<Located<std::string>> words(std::string_view key);
    [[nodiscard]] std::optional<Located<std::int64_t>> integer(std::string_view key,
                                                               std::int64_t min,
                                                               std::int64_t max);
    // An array of different integers; an empty array is an error.
    [[nodiscard]] std::vector<Located<std::int64_t>> integers(std::string_view key,
                                                              std::int64_t min,
                                                              std::int64_t max);
    [[nodiscard]] std::optional<Located<bool>> boolean(std::string_view key);
    [[nodiscard]] std::optional<Located<std::chrono::nanoseconds>> duration(std::string_view key);
    // A size in bytes, more than zero: "64KiB", or an integer.
    [[nodiscard]] std::optional<Located<std::int64_t>> size(std::string_view key);
    // Reads the tables of [[key]], or of an array of inline tables.
    void each_table(std::string_view key,
                    const std::function<void(const TomlTable&, const SourceSpan&)>& read);
    // Returns the table [key], or null; `hint` says how to write it.
    [[nodiscard]] const TomlTable* table(std::string_view key, std::string hint = {});

    // Reports unknown keys (keys that were never read), and missing required keys, unless an
    // unknown key is a misspelling of the missing one. `advice` is added to the hint for an unknown
    // key. Call it last, and only once.
    UnreadKeys finish(std::string_view advice = {});

    // Reports a value of another type: "'key' expects `what`, found ...".
    void expected(std::string_view key,
                  const TomlNode& node,
                  std::string_view what,
                  std::string hint = {});

private:
    void wrong(std::string_view key,
               const SourceSpan& span,
               std::string message,
               std::string hint = {});
    void mismatch(std::string_view key,
                  const SourceSpan& span,
                  std::string_view what,
                  const std::string& found,
                  std::string hint);
    [[nodiscard]] std::optional<ReadString> string_of(std::string_view key, const TomlNode& node);
    // Reports a NUL.
    [[nodiscard]] bool contains_null(std::string_view key,
                                     std::string_view text,
                                     const SourceSpan& span);
    // `what`: what the key expects, of which this integer is a part; `is`: the verb between key and
    // value.
    [[nodiscard]] std::optional<Located<std::int64_t>> integer_of(std::string_view key,
                                                                  const TomlNode& node,
                                                                  std::int64_t min,
                                                                  std::int64_t max,
                                                                  std::string_view what,
                                                                  std::string_view is);

    struct Missing {
        std::string key, example;
    };

    const TomlTable& table_;
    const SourceSpan span_;
    const std::string where_;
    const Environment& environment_;
    Problems& problems_;
    std::vector<std::string> known_;
    std::vector<Missing> missing_;
    UnreadKeys unread_;
};

}  // namespace skep::host
