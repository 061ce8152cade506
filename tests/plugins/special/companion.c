/* A library that never goes, and that takes its answer from the library that came with it. */
__attribute__((weak, visibility("default"))) int skep_test_answer(void) {
    return 1;
}

__attribute__((visibility("default"))) int skep_test_ask(void);

int skep_test_ask(void) {
    return skep_test_answer();
}
