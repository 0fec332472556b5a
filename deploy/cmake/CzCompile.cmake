# Flags of the house style, and the four ways to declare a target.  See CONTRIBUTING.md.
include(CheckCCompilerFlag)

add_library(cz_flags INTERFACE)
target_compile_definitions(cz_flags INTERFACE _GNU_SOURCE)
target_compile_options(cz_flags INTERFACE
    "SHELL:-include ${CMAKE_SOURCE_DIR}/connectors/core/include/cz/banned.h"
    -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wold-style-definition -Wvla -Wformat=2 -Wundef -Wpointer-arith -Wwrite-strings -Wcast-qual
    -Wconversion -Wsign-conversion -Wswitch-enum -Wnull-dereference -Wdouble-promotion
    -Wimplicit-fallthrough -Werror
    -fno-omit-frame-pointer -fstack-protector-strong -fcf-protection)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(cz_flags INTERFACE
        -Wlogical-op -Wduplicated-cond -Wduplicated-branches -Wjump-misses-init
        -fstack-clash-protection -ftrivial-auto-var-init=zero)
else()
    target_compile_options(cz_flags INTERFACE -Wthread-safety -Wno-gnu-zero-variadic-macro-arguments)
endif()
if(CZ_SANITIZE)
    target_compile_options(cz_flags INTERFACE -O1 -fsanitize=${CZ_SANITIZE} -fno-sanitize-recover=all)
    target_link_options(cz_flags INTERFACE -fsanitize=${CZ_SANITIZE})
    # The optimiser's null-path guesses are noise in instrumented code.
    target_compile_options(cz_flags INTERFACE -Wno-null-dereference)
elseif(CZ_COVERAGE)
    target_compile_options(cz_flags INTERFACE -O0 --coverage)
    target_link_options(cz_flags INTERFACE --coverage)
else()
    target_compile_options(cz_flags INTERFACE -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
endif()
target_link_options(cz_flags INTERFACE -Wl,-z,relro,-z,now)
# Asserts stay on in release: they state our own bugs.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

# cz_library(<name> [INCLUDE dirs…] SOURCES … [PUBLIC libs…] [PRIVATE libs…])
function(cz_library name)
    cmake_parse_arguments(A "" "" "INCLUDE;SOURCES;PUBLIC;PRIVATE" ${ARGN})
    add_library(${name} STATIC ${A_SOURCES})
    if(A_INCLUDE)
        target_include_directories(${name} PUBLIC ${A_INCLUDE})
    endif()
    target_link_libraries(${name} PUBLIC ${A_PUBLIC} PRIVATE ${A_PRIVATE} cz_flags)
    set_target_properties(${name} PROPERTIES C_VISIBILITY_PRESET hidden)
endfunction()

# cz_program(<name> SOURCES … LIBS …) lands in build/<preset>/bin
function(cz_program name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_LIBS} cz_flags)
    target_link_options(${name} PRIVATE -pie)
endfunction()

# cz_unit_test(<name> SOURCES … LIBS …): a cmocka program, run by ctest -L unit
function(cz_unit_test name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_LIBS} dep::cmocka cz_flags)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
    if(CZ_SANITIZE MATCHES "thread")
        set_tests_properties(${name} PROPERTIES ENVIRONMENT
            "TSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/tsan.supp halt_on_error=0")
    endif()
endfunction()

# cz_fuzz_target(<name> SOURCES … LIBS …): a libFuzzer program in build/fuzz/fuzz/<name>, built by
# `ninja fuzz_targets` and run by `tests/run fuzz`.  Seeds: tests/fuzz/corpus/<name>/, old finds:
# tests/fuzz/regression/<name>/, dictionary: tests/fuzz/<name>.dict (each optional).
if(CZ_FUZZ)
    # Every library is instrumented, not the target's own file alone.
    target_compile_options(cz_flags INTERFACE -fsanitize=fuzzer-no-link)
    add_custom_target(fuzz_targets)
endif()
function(cz_fuzz_target name)
    cmake_parse_arguments(A "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${name} ${A_SOURCES})
    target_link_libraries(${name} PRIVATE ${A_LIBS} cz_flags)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    add_dependencies(fuzz_targets ${name})
endfunction()
