# How the targets of many files are compiled in less time: SKEP_UNITY and SKEP_PCH. Neither changes
# what is built: each file still includes what it uses.

# skep_unite(TARGET GROUP SOURCE...): compiles up to SKEP_UNITY of these sources as one. The word
# UnifiedSource in its name lets clang's analyzer look into what it includes.
function(skep_unite target group)
    if(NOT SKEP_UNITY)
        return()
    endif()
    set_target_properties(
        ${target}
        PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP
                   UNITY_BUILD_CODE_BEFORE_INCLUDE
                   "// NOLINTNEXTLINE(bugprone-suspicious-include)")
    set(index 0)
    foreach(source ${ARGN})
        math(EXPR part "${index} / ${SKEP_UNITY}")
        set_source_files_properties(${source} PROPERTIES UNITY_GROUP UnifiedSource_${group}_${part})
        math(EXPR index "${index} + 1")
    endforeach()
endfunction()

# skep_precompile(TARGET [HEADER...]): precompiles these headers and those of the standard library
# that most files include. Headers of this repository are not among them, because each change would
# compile all again; large ones that few files include cost more than they save.
function(skep_precompile target)
    if(NOT SKEP_PCH)
        return()
    endif()
    target_precompile_headers(
        ${target}
        PRIVATE
        ${ARGN}
        <algorithm>
        <array>
        <atomic>
        <chrono>
        <cstdint>
        <filesystem>
        <functional>
        <map>
        <memory>
        <mutex>
        <optional>
        <set>
        <string>
        <string_view>
        <thread>
        <utility>
        <variant>
        <vector>)
    # For ccache, which also needs CCACHE_SLOPPINESS=pch_defines,time_macros.
    target_compile_options(
        ${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
                          $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
endfunction()
