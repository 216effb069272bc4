include(GoogleTest)

find_program(CULPRIT_CCACHE ccache)
if(CULPRIT_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER "${CULPRIT_CCACHE}")
endif()
find_program(CULPRIT_MOLD mold)

# Compile options live on one interface target, never in global flags. Designated initialisers may
# leave members to their defaults, hence -Wno-missing-field-initializers.
add_library(culprit_build_options INTERFACE)
target_compile_features(culprit_build_options INTERFACE cxx_std_20)
target_compile_options(culprit_build_options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -fno-math-errno
    -Wno-missing-field-initializers)
# AVX2 where this machine has it. Contraction stays off: an answer near a threshold must not depend on
# which multiply met which add.
include(CheckCXXSourceRuns)
check_cxx_source_runs("int main() { return __builtin_cpu_supports(\"avx2\") && __builtin_cpu_supports(\"fma\") && __builtin_cpu_supports(\"bmi2\") ? 0 : 1; }" CULPRIT_HAS_AVX2)
option(CULPRIT_AVX2 "Compile for x86-64-v3" ${CULPRIT_HAS_AVX2})
if(CULPRIT_AVX2)
    target_compile_options(culprit_build_options INTERFACE -march=x86-64-v3)
endif()
target_compile_options(culprit_build_options INTERFACE -ffp-contract=off)
if(CULPRIT_MOLD)
    target_link_options(culprit_build_options INTERFACE -fuse-ld=mold)
endif()
if(CULPRIT_FUZZERS)
    target_compile_options(culprit_build_options INTERFACE
        -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -g1)
endif()
if(CULPRIT_SANITIZE)
    target_compile_options(culprit_build_options INTERFACE
        -fsanitize=${CULPRIT_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(culprit_build_options INTERFACE -fsanitize=${CULPRIT_SANITIZE})
endif()

# culprit_module(NAME SOURCES a.cpp ... TESTS a_test.cpp ... DEPS folders... LIBS targets... PUBLIC_LIBS targets...)
#   makes the static library culprit_NAME from the current folder and, with tests on, the program
#   culprit_NAME_test whose cases ctest lists one by one. DEPS are sibling folders; LIBS stay private.
function(culprit_module name)
    cmake_parse_arguments(M "" "" "SOURCES;TESTS;DEPS;LIBS;PUBLIC_LIBS;TEST_LIBS" ${ARGN})
    add_library(culprit_${name} STATIC ${M_SOURCES})
    add_library(culprit::${name} ALIAS culprit_${name})
    target_include_directories(culprit_${name} PUBLIC
        $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include>)
    set_target_properties(culprit_${name} PROPERTIES EXPORT_NAME ${name})
    target_compile_features(culprit_${name} PUBLIC cxx_std_20)
    foreach(dep ${M_DEPS})
        target_link_libraries(culprit_${name} PUBLIC culprit_${dep})
    endforeach()
    target_link_libraries(culprit_${name} PUBLIC ${M_PUBLIC_LIBS}
        PRIVATE $<BUILD_INTERFACE:culprit_build_options> ${M_LIBS})
    set_property(GLOBAL APPEND PROPERTY CULPRIT_MODULES culprit_${name})
    if(CULPRIT_TESTS AND M_TESTS)
        culprit_test(culprit_${name}_test SOURCES ${M_TESTS} LIBS culprit_${name} ${M_LIBS} ${M_TEST_LIBS})
    endif()
endfunction()

# culprit_test(PROGRAM SOURCES ... LIBS ...): a GoogleTest program registered case by case. Suites
#   whose name ends in Long stay out of the everyday run; `ctest -C long -L long` runs them.
function(culprit_test program)
    cmake_parse_arguments(T "" "" "SOURCES;LIBS" ${ARGN})
    add_executable(${program} ${T_SOURCES})
    target_link_libraries(${program} PRIVATE ${T_LIBS} culprit_build_options GTest::gmock GTest::gtest_main)
    target_compile_definitions(${program} PRIVATE CULPRIT_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
    gtest_discover_tests(${program} DISCOVERY_TIMEOUT 60 TEST_FILTER "-*Long.*" PROPERTIES TIMEOUT 120)
    add_test(NAME ${program}.long COMMAND ${program} --gtest_filter=*Long.* CONFIGURATIONS long)
    set_tests_properties(${program}.long PROPERTIES LABELS long TIMEOUT 3600)
endfunction()
