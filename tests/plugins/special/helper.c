/* A library that a plugin brings. It answers with the number that it was built with. */
#include <pthread.h>

__attribute__((visibility("default"))) int skep_test_helper(void);

static void forget(void* value) {
    (void)value;
}

int skep_test_helper(void) {
    static pthread_key_t key;
    static int has_key;
    if (!has_key) {
        has_key = pthread_key_create(&key, forget) == 0;
    }
    pthread_setspecific(key, &key);
    return SKEP_TEST_ANSWER;
}
