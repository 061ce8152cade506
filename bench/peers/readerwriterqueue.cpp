// moodycamel::BlockingReaderWriterCircularBuffer: one sender, one receiver, bounded, sleeps.
#include "bench/peers/peers.hpp"

#if SKEP_BENCH_READERWRITERQUEUE

#include <readerwriterqueue/readerwritercircularbuffer.h>

#include "bench/peers/queue_cells.hpp"

namespace bench {
namespace {

template <typename T>
struct Circular {
    explicit Circular(std::size_t bound)
        : buffer(bound) {}

    struct Sender {
        explicit Sender(Circular& owner)
            : buffer(owner.buffer) {}

        void send(T element) { buffer.wait_enqueue(std::move(element)); }

        void flush() {}

        moodycamel::BlockingReaderWriterCircularBuffer<T>& buffer;
    };

    struct Receiver {
        explicit Receiver(Circular& owner)
            : buffer(owner.buffer) {}

        T receive() {
            T element;
            buffer.wait_dequeue(element);
            return element;
        }

        moodycamel::BlockingReaderWriterCircularBuffer<T>& buffer;
    };

    moodycamel::BlockingReaderWriterCircularBuffer<T> buffer;
};

}  // namespace

void add_readerwriterqueue(Contenders& all) {
    add_queue<Circular>(all, "readerwriterqueue", {false, true, ""});
}

}  // namespace bench

#else

void bench::add_readerwriterqueue(Contenders& /*all*/) {}

#endif
