#include "host/daemon/log.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>
#include <spdlog/sinks/sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "host/base/crash_report.hpp"
#include "host/base/fd.hpp"
#include "host/base/printable.hpp"
#include "host/daemon/log_writer.hpp"

namespace skep::host {
namespace {

constexpr const char* host_logger = "skep";

std::tm calendar(std::chrono::system_clock::time_point time, bool local) {
    const std::time_t seconds = std::chrono::system_clock::to_time_t(time);
    std::tm parts{};
    if (local) {
        ::localtime_r(&seconds, &parts);
    } else {
        ::gmtime_r(&seconds, &parts);
    }
    return parts;
}

// `format` is for strftime and ends with the seconds; this function appends the milliseconds.
std::string time_text(std::chrono::system_clock::time_point time, const char* format, bool local) {
    const std::tm parts = calendar(time, local);
    std::array<char, 64> text{};
    const std::size_t size = std::strftime(text.data(), text.size(), format, &parts);
    const auto since = time.time_since_epoch();
    const auto milliseconds = std::chrono::floor<std::chrono::milliseconds>(since) -
                              std::chrono::floor<std::chrono::seconds>(since);
    return fmt::format("{}.{:03}", std::string_view(text.data(), size), milliseconds.count());
}

const char* colour_of(std::string_view level) {
    if (level == "error") {
        return "\x1b[31m";
    }
    if (level == "warn") {
        return "\x1b[33m";
    }
    return level == "info" ? "" : "\x1b[2m";
}

std::string_view level_name(spdlog::level::level_enum level) {
    constexpr std::array<std::string_view, 7> names = {
        "trace", "debug", "info", "warn", "error", "error", "off"};
    return names.at(static_cast<std::size_t>(level));
}

class LineFormatter final : public spdlog::formatter {
public:
    LineFormatter(bool json, bool colour)
        : json_(json),
          colour_(colour) {}

    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
        const LogRecord record{message.time,
                               level_name(message.level),
                               {message.logger_name.data(), message.logger_name.size()},
                               {message.payload.data(), message.payload.size()}};
        const std::string text = json_ ? log_line_json(record) : log_line_text(record, colour_);
        line.append(text.data(), text.data() + text.size());
        line.push_back('\n');
    }

    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<LineFormatter>(json_, colour_);
    }

private:
    const bool json_;
    const bool colour_;
};

// The writer of the started log. Global, because a handler of a fatal signal needs it.
std::atomic<LogWriter*> writer{nullptr};

std::string line_of(LineFormatter& formatter, const spdlog::details::log_msg& message) {
    spdlog::memory_buf_t line;
    formatter.format(message, line);
    return {line.data(), line.size()};
}

std::string lost_line(LineFormatter& formatter, std::uint64_t lines, int error) {
    const std::string why =
        error == 0 ? "while stderr was blocked" : "on stderr: " + error_text(error);
    const std::string text =
        fmt::format("{} log {} lost {}", lines, lines == 1 ? "line was" : "lines were", why);
    return line_of(formatter, spdlog::details::log_msg(host_logger, spdlog::level::warn, text));
}

// Formats on the thread that logs, and gives the line to the writer.
class WriterSink final : public spdlog::sinks::sink {
public:
    explicit WriterSink(const LineFormatter& formatter)
        : formatter_(formatter),
          writer_(STDERR_FILENO,
                  [copy = LineFormatter(formatter)](std::uint64_t lines, int error) mutable {
                      return lost_line(copy, lines, error);
                  }) {}

    ~WriterSink() override { ::skep::host::writer = nullptr; }

    WriterSink(const WriterSink&) = delete;
    WriterSink& operator=(const WriterSink&) = delete;

    void log(const spdlog::details::log_msg& message) override {
        writer_.write(line_of(formatter_, message));
    }

    void flush() override {}

    void set_pattern(const std::string& /*pattern*/) override {}

    void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

    [[nodiscard]] LogWriter& writer() { return writer_; }

private:
    LineFormatter formatter_;  // stateless: several threads may use it at once
    LogWriter writer_;
};

bool wants_colour() {
    const char* no_color = std::getenv("NO_COLOR");
    return ::isatty(STDERR_FILENO) == 1 && (no_color == nullptr || no_color[0] == '\0');
}

}  // namespace

std::string log_line_text(const LogRecord& record, bool colour) {
    const char* before = colour ? colour_of(record.level) : "";
    const char* after = before[0] == '\0' ? "" : "\x1b[0m";
    return fmt::format("{} {}{:<5}{} {}  {}",
                       time_text(record.time, "%H:%M:%S", true),
                       before,
                       record.level,
                       after,
                       escaped(record.logger),
                       escaped(record.text));
}

std::string log_line_json(const LogRecord& record) {
    nlohmann::ordered_json line;
    line["time"] = time_text(record.time, "%Y-%m-%dT%H:%M:%S", false) + "Z";
    line["level"] = record.level;
    line["worker"] = nullptr;
    line["generation"] = nullptr;
    const std::size_t at = record.logger.rfind('@');
    if (at != std::string_view::npos) {
        line["worker"] = record.logger.substr(0, at);
        line["generation"] =
            std::strtoull(std::string(record.logger.substr(at + 1)).c_str(), nullptr, 10);
    }
    line["text"] = record.text;
    return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void start_log(const std::string& level, bool json) {
    auto sink = std::make_shared<WriterSink>(LineFormatter(json, !json && wants_colour()));
    writer = &sink->writer();
    auto logger = std::make_shared<spdlog::logger>(host_logger, std::move(sink));
    // A constant text, because memory may be short.
    logger->set_error_handler([](const std::string& /*what*/) {
        if (LogWriter* const started = writer) {
            started->write("skep: cannot format a log line\n");
        }
    });
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
    write_crash_reports_to(STDERR_FILENO, json);
    before_crash_reports([] { flush_log_in_signal_handler(); });
}

void write_stderr(const std::string& text) {
    if (LogWriter* const started = writer) {
        started->write(text);
    } else {
        std::fputs(text.c_str(), stderr);
    }
}

bool flush_log(Nanos patience) {
    LogWriter* const started = writer;
    return started == nullptr || started->flush(patience);
}

void flush_log_in_signal_handler(Nanos patience) {
    if (const LogWriter* const started = writer) {
        (void)started->flush_in_signal_handler(patience);
    }
}

}  // namespace skep::host
