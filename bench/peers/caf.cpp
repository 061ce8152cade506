// CAF: event-based actors on its own pool of two threads. Its mailboxes have no bound, so the
// receivers grant credit, as an author who minds memory would: 1,024 messages are on their way at
// most. Written against 0.17, which Debian has.
#include "bench/peers/peers.hpp"

#if SKEP_BENCH_CAF

#include <algorithm>
#include <future>

#include <caf/all.hpp>

#include "bench/peers/queue_cells.hpp"
#include "bench/process.hpp"

namespace bench {

// What actors send each other. Shared by reference, as it is between all others.
struct Large {
    Shared bytes;
};

// A receiver has finished half of the messages that may be on their way to it.
struct GrantedBatch {
    std::uint64_t sink = 0;
};

}  // namespace bench

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bench::Message)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bench::Large)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(bench::GrantedBatch)

namespace bench {
namespace {

using Self = caf::event_based_actor*;

struct TwoThreads : caf::actor_system_config {
    TwoThreads() { set("scheduler.max-threads", 2); }
};

// The actors of one measurement, and how it ends.
struct StagingFolder {
    std::uint64_t count = 0;          // messages from each source
    std::size_t payload = 0;          // of a Large one; 0: a Message
    std::uint64_t credit = 1024;      // to each sink from each source
    std::atomic<int> unfinished = 1;  // sinks
    std::atomic<std::uint64_t> wrong{0};
    std::promise<void> is_over;
    TwoThreads config;
    caf::actor_system system{config};
    std::vector<caf::actor> actors;

    caf::actor add(const caf::actor& made) {
        actors.push_back(made);
        return made;
    }

    void finish() {
        if (--unfinished == 0) {
            is_over.set_value();
        }
    }

    // From the first message to the last.
    Sample play(const std::string& cell, std::uint64_t items, const std::function<void()>& kick) {
        const std::int64_t begin = now_ns();
        kick();
        is_over.get_future().wait();
        const Sample result = outcome(cell, items, begin, wrong);
        for (const caf::actor& actor : actors) {
            caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
        }
        return result;
    }

    [[nodiscard]] caf::message make(std::uint64_t sequence, std::uint64_t sender) const {
        return payload == 0 ? caf::make_message(Message{sequence, sender, {}})
                            : caf::make_message(Large{make_shared_payload(payload, sequence)});
    }
};

// Sends as far as every receiver has granted.
caf::behavior source(Self self,
                     StagingFolder* stage,
                     const std::vector<caf::actor>& receivers,
                     std::uint64_t id,
                     std::size_t sinks) {
    auto granted = std::make_shared<std::vector<std::uint64_t>>(sinks, stage->credit);
    auto sent = std::make_shared<std::uint64_t>(0);
    return {[=](const GrantedBatch& grant) {
        granted->at(grant.sink) += *sent == 0 ? 0 : stage->credit / 2;
        const std::uint64_t allowed = *std::min_element(granted->begin(), granted->end());
        for (; *sent < std::min(allowed, stage->count); ++*sent) {
            const caf::message message = stage->make(*sent, id);
            for (const caf::actor& receiver : receivers) {
                self->send(receiver, message);
            }
        }
    }};
}

caf::behavior sink(Self self, StagingFolder* stage, std::uint64_t id, std::uint64_t sources) {
    auto next = std::make_shared<std::vector<std::uint64_t>>(sources);
    auto origins = std::make_shared<std::vector<caf::actor>>();
    auto received = std::make_shared<std::uint64_t>(0);
    const auto take = [=](std::uint64_t sequence, std::uint64_t sender) {
        stage->wrong += next->at(sender)++ == sequence ? 0U : 1U;
        if (next->at(sender) % (stage->credit / 2) == 0) {
            self->send(origins->at(sender), GrantedBatch{id});
        }
        if (++*received == stage->count * sources) {
            stage->finish();
        }
    };
    return {[=](const caf::actor& origin) { origins->push_back(origin); },
            [=](const Message& message) { take(message.sequence, message.sender); },
            [=](const Large& large) { take(sequence_of(large.bytes), 0); }};
}

Sample stream(const std::string& cell,
              std::uint64_t count,
              std::uint64_t sources,
              bool has_filter,
              std::size_t bound = 1024) {
    StagingFolder stage;
    stage.count = count / sources;
    stage.credit = bound / sources;
    const caf::actor end = stage.add(stage.system.spawn(sink, &stage, 0, sources));
    caf::actor to = end;
    if (has_filter) {
        to = stage.add(stage.system.spawn([end](Self self) -> caf::behavior {
            return {[=](const Message& message) { self->send(end, message); }};
        }));
    }
    std::vector<caf::actor> begins;
    for (std::uint64_t i = 0; i < sources; ++i) {
        begins.push_back(stage.add(
            stage.system.spawn(source, &stage, std::vector<caf::actor>{to}, i, std::size_t{1})));
        caf::anon_send(end, begins.back());
    }
    return stage.play(cell, stage.count * sources, [&] {
        for (const caf::actor& begin : begins) {
            caf::anon_send(begin, GrantedBatch{});
        }
    });
}

Sample broadcast(const std::string& cell, std::uint64_t count, std::size_t payload) {
    constexpr std::size_t sinks = 8;
    StagingFolder stage;
    stage.count = count;
    stage.payload = payload;
    stage.unfinished = sinks;
    std::vector<caf::actor> ends;
    for (std::uint64_t i = 0; i < sinks; ++i) {
        ends.push_back(stage.add(stage.system.spawn(sink, &stage, i, std::uint64_t{1})));
    }
    const caf::actor begin =
        stage.add(stage.system.spawn(source, &stage, ends, std::uint64_t{0}, sinks));
    for (const caf::actor& end : ends) {
        caf::anon_send(end, begin);
    }
    return stage.play(cell, count * sinks, [&] { caf::anon_send(begin, GrantedBatch{}); });
}

// A ring of two is ping and pong.
Sample ring(const std::string& cell, std::uint64_t members, std::uint64_t hops) {
    StagingFolder stage;
    std::vector<caf::actor> all;
    for (std::uint64_t i = 0; i < members; ++i) {
        all.push_back(
            stage.add(stage.system.spawn([&stage, i, members, hops](Self self) -> caf::behavior {
                auto next = std::make_shared<caf::actor>();
                return {[=](const caf::actor& it) { *next = it; },
                        [=, &stage](const Message& token) {
                            stage.wrong += token.sequence % members == i ? 0U : 1U;
                            if (token.sequence == hops) {
                                stage.finish();
                            } else {
                                self->send(*next, Message{token.sequence + 1, 0, {}});
                            }
                        }};
            })));
    }
    for (std::uint64_t i = 0; i < members; ++i) {
        caf::anon_send(all[i], all[(i + 1) % members]);
    }
    return stage.play(cell, hops, [&] { caf::anon_send(all[0], Message{}); });
}

caf::behavior idler(Self /*self*/) {
    return {[](const Message& /*message*/) {}};
}

Sample spawn(std::uint64_t count) {
    StagingFolder stage;
    const std::int64_t begin = now_ns();
    for (std::uint64_t i = 0; i < count; ++i) {
        stage.add(stage.system.spawn(idler));
    }
    for (const caf::actor& actor : stage.actors) {
        caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    }
    stage.actors.clear();
    stage.system.await_all_actors_done();
    return sample("spawn", count, now_ns() - begin);
}

Sample memory(std::uint64_t count) {
    StagingFolder stage;
    const double before = resident_bytes();
    for (std::uint64_t i = 0; i < count; ++i) {
        stage.add(stage.system.spawn(idler));
    }
    const double after = settled_resident_bytes();
    for (const caf::actor& actor : stage.actors) {
        caf::anon_send_exit(actor, caf::exit_reason::user_shutdown);
    }
    return {(after - before) / static_cast<double>(count), 1, {}};
}

}  // namespace

void add_caf(Contenders& all) {
    using Count = std::uint64_t;
    const auto add = [&](const std::string& cell, std::function<Sample(Count)> run) {
        all.push_back({"caf", cell, "", true, true, std::move(run)});
    };
    add("st", [](Count n) { return stream("st", n, 1, false); });
    add("st.64k", [](Count n) { return stream("st.64k", n, 1, false, 65'536); });
    add("pl", [](Count n) { return stream("pl", n, 1, true); });
    add("fi", [](Count n) { return stream("fi", n, 4, false); });
    add("bc", [](Count n) { return broadcast("bc", n, 0); });
    add("bc.4k", [](Count n) { return broadcast("bc.4k", n, 4096); });
    add("bc.64k", [](Count n) { return broadcast("bc.64k", n, 65'536); });
    // The rest is not the work of a thread: actors that wait have none.
    const auto add_pooled = [&](const std::string& cell, std::function<Sample(Count)> run) {
        add(cell, std::move(run));
        all.back().is_beside_threads = false;
    };
    add_pooled("pp", [](Count n) { return ring("pp", 2, n); });
    add_pooled("ring.1k", [](Count n) { return ring("ring.1k", 1000, n); });
    add_pooled("ring.100k", [](Count n) { return ring("ring.100k", 100'000, n); });
    add_pooled("spawn", spawn);
    add_pooled("mem", in_own_process("mem:caf:pool", memory));
}

}  // namespace bench

#else

void bench::add_caf(Contenders& /*all*/) {}

#endif
