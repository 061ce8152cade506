# Runs `twin`, which has to fail for the reason that matches `finding`.
execute_process(COMMAND ${twin} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(result EQUAL 0)
    message(FATAL_ERROR "the twin passed: nothing was found")
elseif(NOT output MATCHES "${finding}")
    message(FATAL_ERROR "the twin failed for another reason (${result}):\n${output}")
endif()
