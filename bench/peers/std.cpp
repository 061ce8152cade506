// The standard library: a mutex and condition variables, by the message and by the swap; threads.
#include <condition_variable>
#include <deque>
#include <mutex>

#include "bench/peers/peers.hpp"
#include "bench/peers/queue_cells.hpp"
#include "bench/process.hpp"

namespace bench {
namespace {

// Wakes only who sleeps: the counts spare the calls to the kernel.
template <typename T>
class MutexQueue {
public:
    explicit MutexQueue(std::size_t bound)
        : bound_(bound) {}

    struct Sender {
        explicit Sender(MutexQueue& its_queue)
            : queue(its_queue) {}

        void send(T element) {
            std::unique_lock lock(queue.mutex_);
            while (queue.elements_.size() == queue.bound_) {
                ++queue.senders_asleep_;
                queue.has_room_.wait(lock);
                --queue.senders_asleep_;
            }
            queue.elements_.push_back(std::move(element));
            const bool wakes = queue.is_receiver_asleep_;
            lock.unlock();
            if (wakes) {
                queue.has_some_.notify_one();
            }
        }

        void flush() {}

        MutexQueue& queue;
    };

    struct Receiver {
        explicit Receiver(MutexQueue& its_queue)
            : queue(its_queue) {}

        T receive() {
            std::unique_lock lock(queue.mutex_);
            while (queue.elements_.empty()) {
                queue.is_receiver_asleep_ = true;
                queue.has_some_.wait(lock);
                queue.is_receiver_asleep_ = false;
            }
            T element = std::move(queue.elements_.front());
            queue.elements_.pop_front();
            const bool wakes = queue.senders_asleep_ > 0;
            lock.unlock();
            if (wakes) {
                queue.has_room_.notify_one();
            }
            return element;
        }

        MutexQueue& queue;
    };

private:
    std::mutex mutex_;
    std::condition_variable has_room_, has_some_;
    std::deque<T> elements_;
    const std::size_t bound_;
    int senders_asleep_ = 0;
    bool is_receiver_asleep_ = false;
};

// The receiver takes all that is there with one lock. What it has taken counts no more, so up to
// twice the bound can be on the way.
template <typename T>
class SwapQueue {
public:
    explicit SwapQueue(std::size_t bound)
        : bound_(bound) {
        elements_.reserve(bound);
    }

    struct Sender {
        explicit Sender(SwapQueue& its_queue)
            : queue(its_queue) {}

        void send(T element) {
            std::unique_lock lock(queue.mutex_);
            while (queue.elements_.size() == queue.bound_) {
                ++queue.senders_asleep_;
                queue.has_room_.wait(lock);
                --queue.senders_asleep_;
            }
            queue.elements_.push_back(std::move(element));
            const bool wakes = queue.is_receiver_asleep_;
            lock.unlock();
            if (wakes) {
                queue.has_some_.notify_one();
            }
        }

        void flush() {}

        SwapQueue& queue;
    };

    struct Receiver {
        explicit Receiver(SwapQueue& its_queue)
            : queue(its_queue) {
            taken.reserve(queue.bound_);
        }

        T receive() {
            if (at == taken.size()) {
                refill();
            }
            return std::move(taken[at++]);
        }

        void refill() {
            taken.clear();
            at = 0;
            std::unique_lock lock(queue.mutex_);
            while (queue.elements_.empty()) {
                queue.is_receiver_asleep_ = true;
                queue.has_some_.wait(lock);
                queue.is_receiver_asleep_ = false;
            }
            taken.swap(queue.elements_);
            const bool wakes = queue.senders_asleep_ > 0;
            lock.unlock();
            if (wakes) {
                queue.has_room_.notify_all();
            }
        }

        SwapQueue& queue;
        std::vector<T> taken;
        std::size_t at = 0;
    };

private:
    std::mutex mutex_;
    std::condition_variable has_room_, has_some_;
    std::vector<T> elements_;
    const std::size_t bound_;
    int senders_asleep_ = 0;
    bool is_receiver_asleep_ = false;
};

// Threads that wait for one word, which is what an idle worker does.
class WaitingThreads {
public:
    explicit WaitingThreads(std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; ++i) {
            threads_.add([this] {
                std::unique_lock lock(mutex_);
                ++waiting_;
                changed_.notify_all();
                is_over_.wait(lock, [this] { return ends_; });
            });
        }
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this, count] { return waiting_ == count; });
    }

    ~WaitingThreads() {
        {
            const std::lock_guard lock(mutex_);
            ends_ = true;
        }
        is_over_.notify_all();
        threads_.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_, is_over_;
    std::uint64_t waiting_ = 0;
    bool ends_ = false;
    Threads threads_;
};

Sample spawn(std::uint64_t count) {
    const std::int64_t begin = now_ns();
    { const WaitingThreads threads(count); }
    return sample("spawn", count, now_ns() - begin);
}

Sample memory(std::uint64_t count) {
    const double before = resident_bytes();
    const WaitingThreads threads(count);
    return {(resident_bytes() - before) / static_cast<double>(count), 1, {}};
}

Sample message_memory(std::uint64_t count) {
    MutexQueue<Message> queue(count);
    const double before = resident_bytes();
    QueueCells<MutexQueue>::produce(queue, count, 0);
    return {(resident_bytes() - before) / static_cast<double>(count), 1, {}};
}

}  // namespace

void add_std(Contenders& all) {
    add_queue<MutexQueue>(all, "mutex", {});
    add_queue<SwapQueue>(all, "mutex swap", {});
    all.push_back({"thread", "spawn", "", true, false, spawn});
    all.push_back({"thread", "mem", "", true, false, in_own_process("mem:thread:threads", memory)});
    all.push_back({"mutex",
                   "mem.msg",
                   "",
                   true,
                   true,
                   in_own_process("mem.msg:mutex:threads", message_memory)});
}

}  // namespace bench
