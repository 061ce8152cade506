// Has 100 statics with destructors, made at load, and 20 more, made at the first question. Each
// writes its number into the log that the test gives as the data of the question.
#include "exit_log.h"
#include "raw.h"

namespace {

exit_log* ended = nullptr;

struct Numbered {
    explicit Numbered(int its_number)
        : number(its_number) {}

    ~Numbered() {
        if (ended != nullptr) {
            ended->numbers[ended->count++] = number;
        }
    }

    int number;
};

#define TEN(n)                                                                                 \
    Numbered at_load_##n##0 {n * 10 + 0}, at_load_##n##1 {n * 10 + 1},                         \
        at_load_##n##2 {n * 10 + 2}, at_load_##n##3 {n * 10 + 3}, at_load_##n##4 {n * 10 + 4}, \
        at_load_##n##5 {n * 10 + 5}, at_load_##n##6 {n * 10 + 6}, at_load_##n##7 {n * 10 + 7}, \
        at_load_##n##8 {n * 10 + 8}, at_load_##n##9 {                                          \
        n * 10 + 9                                                                             \
    }
TEN(0);
TEN(1);
TEN(2);
TEN(3);
TEN(4);
TEN(5);
TEN(6);
TEN(7);
TEN(8);
TEN(9);

template <int Number>
void make_local() {
    static Numbered local{Number};
    if constexpr (Number < 119) {
        make_local<Number + 1>();
    }
}

int32_t probe(void* log, uint32_t) {
    ended = static_cast<exit_log*>(log);
    make_local<100>();
    return 0;
}

}  // namespace

RAW_PLUGIN("org.skep.test.many_statics")
