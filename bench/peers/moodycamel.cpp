// moodycamel::ConcurrentQueue with its semaphores: sleeps when idle, bounded by a semaphore of
// free places. By the message, and batched by hand at both ends.
#include "bench/peers/peers.hpp"

#if SKEP_BENCH_MOODYCAMEL

#include <array>

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <concurrentqueue/concurrentqueue.h>
#include <concurrentqueue/lightweightsemaphore.h>

#include "bench/peers/queue_cells.hpp"

namespace bench {
namespace {

using Semaphore = moodycamel::LightweightSemaphore;
using Places = Semaphore::ssize_t;

template <typename T>
struct Bounded {
    explicit Bounded(std::size_t bound)
        : queue(bound * 2),
          places(static_cast<Places>(bound)) {}

    struct Sender {
        explicit Sender(Bounded& its_owner)
            : owner(its_owner),
              token(its_owner.queue) {}

        void send(T element) {
            while (!owner.places.wait()) {
            }
            owner.queue.enqueue(token, std::move(element));
            owner.items.signal();
        }

        void flush() {}

        Bounded& owner;
        moodycamel::ProducerToken token;
    };

    struct Receiver {
        explicit Receiver(Bounded& its_owner)
            : owner(its_owner),
              token(its_owner.queue) {}

        T receive() {
            while (!owner.items.wait()) {
            }
            T element;
            while (!owner.queue.try_dequeue(token, element)) {
            }
            owner.places.signal();
            return element;
        }

        Bounded& owner;
        moodycamel::ConsumerToken token;
    };

    moodycamel::ConcurrentQueue<T> queue;
    Semaphore places, items;
};

template <typename T>
struct Bulk {
    static constexpr std::size_t batch = 64;

    explicit Bulk(std::size_t bound)
        : queue(bound * 2),
          places(static_cast<Places>(bound)) {}

    struct Sender {
        explicit Sender(Bulk& its_owner)
            : owner(its_owner),
              token(its_owner.queue) {}

        void send(T element) {
            held[size++] = std::move(element);
            if (size == batch) {
                flush();
            }
        }

        void flush() {
            for (std::size_t at = 0; at < size;) {
                const Places free = owner.places.waitMany(static_cast<Places>(size - at));
                const auto count = static_cast<std::size_t>(free);
                owner.queue.enqueue_bulk(
                    token, std::make_move_iterator(held.begin() + static_cast<Places>(at)), count);
                owner.items.signal(free);
                at += count;
            }
            size = 0;
        }

        Bulk& owner;
        moodycamel::ProducerToken token;
        std::array<T, batch> held;
        std::size_t size = 0;
    };

    struct Receiver {
        explicit Receiver(Bulk& its_owner)
            : owner(its_owner),
              token(its_owner.queue) {}

        T receive() {
            if (at == size) {
                refill();
            }
            return std::move(held[at++]);
        }

        void refill() {
            const Places some = owner.items.waitMany(static_cast<Places>(batch));
            at = 0;
            size = 0;
            while (size < static_cast<std::size_t>(some)) {
                size += owner.queue.try_dequeue_bulk(
                    token, held.begin() + size, static_cast<std::size_t>(some) - size);
            }
            owner.places.signal(some);
        }

        Bulk& owner;
        moodycamel::ConsumerToken token;
        std::array<T, batch> held;
        std::size_t size = 0, at = 0;
    };

    moodycamel::ConcurrentQueue<T> queue;
    Semaphore places, items;
};

// As most would use it.
template <typename T>
struct Unbounded {
    explicit Unbounded(std::size_t /*bound*/) {}

    struct Sender {
        explicit Sender(Unbounded& owner)
            : queue(owner.queue),
              token(owner.queue) {}

        void send(T element) { queue.enqueue(token, std::move(element)); }

        void flush() {}

        moodycamel::BlockingConcurrentQueue<T>& queue;
        moodycamel::ProducerToken token;
    };

    struct Receiver {
        explicit Receiver(Unbounded& owner)
            : queue(owner.queue),
              token(owner.queue) {}

        T receive() {
            T element;
            queue.wait_dequeue(token, element);
            return element;
        }

        moodycamel::BlockingConcurrentQueue<T>& queue;
        moodycamel::ConsumerToken token;
    };

    moodycamel::BlockingConcurrentQueue<T> queue;
};

}  // namespace

void add_moodycamel(Contenders& all) {
    add_queue<Bounded>(all, "moodycamel", {});
    add_queue<Bulk>(all, "moodycamel bulk", {true, false, ""});
    Contenders unbounded;
    add_queue<Unbounded>(unbounded, "moodycamel unbounded", {true, true, "has no bound"});
    for (Contender& it : unbounded) {
        if (it.cell == "st" || it.cell == "pl" || it.cell == "fi") {
            all.push_back(std::move(it));
        }
    }
}

}  // namespace bench

#else

void bench::add_moodycamel(Contenders& /*all*/) {}

#endif
