# Runs the tests of `twin` that begin with `test`; it has to fail for the reason that matches
# `finding`. It ends as soon as it has found something, so it may have many messages to find it in.
set(ENV{SKEP_STRESS} 200)
# ThreadSanitizer would go on to the last message otherwise, which takes minutes.
set(ENV{TSAN_OPTIONS} "halt_on_error=1 $ENV{TSAN_OPTIONS}")
execute_process(
    COMMAND ${twin} --gtest_filter=*.${test}* RESULT_VARIABLE result OUTPUT_VARIABLE output
    ERROR_VARIABLE output)
if(result EQUAL 0)
    message(FATAL_ERROR "the twin passed: nothing was found")
elseif(NOT output MATCHES "${finding}")
    message(FATAL_ERROR "the twin failed for another reason (${result}):\n${output}")
endif()
