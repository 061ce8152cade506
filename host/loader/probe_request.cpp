#include "host/loader/probe_request.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <utility>

namespace skep::host {
namespace {

constexpr std::size_t longest_words =
    2000;  // whole lines stay below PIPE_BUF: written in one piece

void put(std::string& out, std::string_view text) {
    out += std::to_string(text.size()) + ":";
    out += text;
}

void put(std::string& out, std::size_t number) {
    put(out, std::to_string(number));
}

template <typename Number>
std::string bytes_of(Number number) {
    std::string bytes(sizeof(number), '\0');
    std::memcpy(bytes.data(), &number, sizeof(number));
    return bytes;
}

void put(std::string& out, const std::map<std::string, ParamValue>& config) {
    put(out, config.size());
    for (const auto& [name, value] : config) {
        put(out, name);
        put(out, value.index());
        if (const auto* const text = std::get_if<std::string>(&value)) {
            put(out, *text);
        } else if (const auto* const integer = std::get_if<std::int64_t>(&value)) {
            put(out, bytes_of(*integer));
        } else {
            put(out, bytes_of(*std::get_if<double>(&value)));
        }
    }
}

// Reads texts from the front of `rest`; after a failure all results are empty.
class Reader {
public:
    explicit Reader(std::string_view text)
        : rest_(text) {}

    std::string_view text() {
        std::size_t size = 0;
        const char* const end = rest_.data() + rest_.size();
        const auto [colon, error] = std::from_chars(rest_.data(), end, size);
        if (error != std::errc() || colon == end || *colon != ':' ||
            size > static_cast<std::size_t>(end - colon - 1)) {
            is_bad_ = true;
            rest_ = {};
            return {};
        }
        const std::string_view found(colon + 1, size);
        rest_.remove_prefix(static_cast<std::size_t>(colon - rest_.data()) + 1 + size);
        return found;
    }

    // Returns at most the number of entries that could still follow.
    std::size_t number() {
        std::size_t value = 0;
        const std::string_view digits = text();
        const char* const end = digits.data() + digits.size();
        if (std::from_chars(digits.data(), end, value).ptr != end || value > rest_.size()) {
            is_bad_ = true;
            return 0;
        }
        return value;
    }

    template <typename Number>
    Number bytes() {
        Number value{};
        const std::string_view found = text();
        if (found.size() != sizeof(value)) {
            is_bad_ = true;
        } else {
            std::memcpy(&value, found.data(), sizeof(value));
        }
        return value;
    }

    std::map<std::string, ParamValue> config() {
        std::map<std::string, ParamValue> values;
        for (std::size_t left = number(); left > 0 && !is_bad_; --left) {
            std::string name(text());
            switch (number()) {
                case 0:
                    values[std::move(name)] = std::string(text());
                    break;
                case 1:
                    values[std::move(name)] = bytes<std::int64_t>();
                    break;
                default:
                    values[std::move(name)] = bytes<double>();
            }
        }
        return values;
    }

    [[nodiscard]] bool is_bad() const { return is_bad_; }

    [[nodiscard]] bool is_at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
    bool is_bad_ = false;
};

}  // namespace

std::string encode(const ProbeRequest& request) {
    std::string out;
    put(out, request.nonce);
    put(out, request.subjects.size());
    for (const ProbeSubject& subject : request.subjects) {
        put(out, subject.path);
        put(out, subject.workers.size());
        for (const ProbeWorker& worker : subject.workers) {
            put(out, worker.name);
            put(out, worker.type);
            put(out, worker.config);
        }
    }
    return out;
}

std::optional<ProbeRequest> decode_probe_request(std::string_view text) {
    Reader reader(text);
    ProbeRequest request;
    request.nonce = reader.text();
    for (std::size_t left = reader.number(); left > 0 && !reader.is_bad(); --left) {
        ProbeSubject subject;
        subject.path = reader.text();
        for (std::size_t more = reader.number(); more > 0 && !reader.is_bad(); --more) {
            ProbeWorker worker;
            worker.name = reader.text();
            worker.type = reader.text();
            worker.config = reader.config();
            subject.workers.push_back(std::move(worker));
        }
        request.subjects.push_back(std::move(subject));
    }
    if (reader.is_bad() || !reader.is_at_end() || request.nonce.empty()) {
        return std::nullopt;
    }
    return request;
}

std::string encode(const std::string& nonce, const ProbeLine& line) {
    std::string words = line.words.substr(0, longest_words);
    std::replace(words.begin(), words.end(), '\n', ' ');
    return "\n" + nonce + " " + static_cast<char>(line.step) + " " + std::to_string(line.subject) +
           " " + std::to_string(line.worker) + " " + words + "\n";
}

std::optional<ProbeLine> decode_probe_line(const std::string& nonce, std::string_view line) {
    if (!line.starts_with(nonce + " ")) {
        return std::nullopt;
    }
    line.remove_prefix(nonce.size() + 1);
    if (line.size() < 2 || std::string_view("lucpf").find(line[0]) == std::string_view::npos) {
        return std::nullopt;
    }
    ProbeLine found;
    found.step = static_cast<ProbeStep>(line[0]);
    line.remove_prefix(1);
    for (std::size_t* const number : {&found.subject, &found.worker}) {
        if (line.empty() || line[0] != ' ') {
            return std::nullopt;
        }
        line.remove_prefix(1);
        const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), *number);
        if (error != std::errc()) {
            return std::nullopt;
        }
        line.remove_prefix(static_cast<std::size_t>(end - line.data()));
    }
    if (line.empty() || line[0] != ' ') {
        return std::nullopt;
    }
    found.words = line.substr(1);
    return found;
}

}  // namespace skep::host
