// What the worker types of the benchmark share: their parameters, and how messages are written and
// checked.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <skep/plugin.hpp>

#include "bench/plugins/report.hpp"

namespace bench {

inline constexpr skep::port in_port[] = {{"in", "*", "messages of the cell"}};
inline constexpr skep::port out_port[] = {
    skep::port("out", "application/octet-stream", "messages of the cell").optional()};
inline constexpr skep::param cell_params[] = {
    skep::param::integer("report", "Address of the driver's Report").required(),
    skep::param::integer("count", "How many messages").with_default("1"),
    skep::param::integer("size", "Bytes of a payload").with_default("32"),
    skep::param::integer("index", "Which one of its kind this is").with_default("0"),
    skep::param::integer("members", "How many there are of its kind").with_default("1"),
};

// The parameters as every type of the benchmark has them.
struct Cell {
    explicit Cell(const skep::context& context)
        : report(*reinterpret_cast<Report*>(context.config_integer("report"))),
          count(static_cast<std::uint64_t>(context.config_integer("count"))),
          size(static_cast<std::size_t>(context.config_integer("size"))),
          index(static_cast<std::uint64_t>(context.config_integer("index"))),
          members(static_cast<std::uint64_t>(context.config_integer("members"))) {}

    Report& report;
    const std::uint64_t count;
    const std::size_t size;
    const std::uint64_t index;
    const std::uint64_t members;
};

inline void must(skep::send_result result) {
    if (result != skep::send_result::ok) {
        throw std::runtime_error("a message of the benchmark was not taken");
    }
}

// A payload that is smaller than a Message is cut: below 8 bytes nothing of it is checked.
inline std::string_view bytes_of(const Message& message, std::size_t size) {
    return {reinterpret_cast<const char*>(&message), std::min(size, sizeof(Message))};
}

inline Message read(const skep::message& message) {
    Message copy;
    if (message.size() >= sizeof(copy)) {
        std::memcpy(&copy, message.data(), sizeof(copy));
    } else {
        std::memcpy(&copy, message.data(), message.size());
    }
    return copy;
}

// Emits message `sequence` of a source, as an author would: small ones by value, large ones in a
// buffer that is written once and shared by all who get it.
inline void emit_one(skep::context& context, const Cell& cell, std::uint64_t sequence) {
    const Message message{sequence, cell.index, {}};
    if (cell.size <= sizeof(Message)) {
        must(context.emit(bytes_of(message, cell.size)));
        return;
    }
    skep::buffer buffer = context.new_buffer(cell.size);
    std::memset(buffer.data(), static_cast<int>(sequence & 0x7fU), buffer.size());
    std::memcpy(buffer.data(), &message, sizeof(message));
    must(context.forward(0, buffer.raw()));
}

// The order of what comes from `members` senders, each of which counts from 0.
class Order {
public:
    explicit Order(std::size_t senders)
        : next_(senders) {}

    bool is_next(const Message& message) {
        return message.sender < next_.size() && next_[message.sender]++ == message.sequence;
    }

private:
    std::vector<std::uint64_t> next_;
};

}  // namespace bench
