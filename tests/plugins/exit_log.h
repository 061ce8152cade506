/* Where many_statics writes down in which order its statics end. The test owns it. */
#ifndef SKEP_TESTS_EXIT_LOG_H
#define SKEP_TESTS_EXIT_LOG_H

struct exit_log {
    int count;
    int numbers[256];
};

#endif
