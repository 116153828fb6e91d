# Flags that every target of ours shares, and one function per kind of target.

add_library(keju_flags INTERFACE)
target_include_directories(keju_flags INTERFACE ${CMAKE_SOURCE_DIR}/src ${CMAKE_SOURCE_DIR})
# -ffp-contract=off: whether a*b+c fuses must be said in the source, never decided by a flag,
# because a log-prob may not depend on how the program was compiled.
# Members that a designated initialiser leaves out have their defaults: that is what it is for.
# nvcc has options of its own: see kernels/CMakeLists.txt.
function(keju_cxx_flags)
  target_compile_options(keju_flags INTERFACE "$<$<COMPILE_LANGUAGE:C,CXX>:${ARGN}>")
endfunction()
keju_cxx_flags(-Wall -Wextra -Wconversion -Wshadow -Wno-sign-conversion -Wno-missing-field-initializers
               -ffp-contract=off)
# g++ 12 sees overlapping copies inside std::string where there are none (GCC bug 105651), and
# uninitialised values in std::variant and in the AVX-512 headers (GCC bugs 105562, 105593).
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU)
  keju_cxx_flags(-Wno-restrict -Wno-maybe-uninitialized)
endif()
if(KEJU_WERROR)
  keju_cxx_flags(-Werror)
endif()
if(KEJU_SANITIZE)
  keju_cxx_flags(-fsanitize=${KEJU_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(keju_flags INTERFACE -fsanitize=${KEJU_SANITIZE})
endif()

# keju_library(base DEPS … LIBS …): the static library keju_base from the *.cpp files of the calling
# folder and its sub-folders; DEPS are folders of ours, LIBS are third-party targets.
function(keju_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;LIBS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(keju_${name} STATIC ${sources})
    set(kind PUBLIC)
  else()
    add_library(keju_${name} INTERFACE)
    set(kind INTERFACE)
  endif()
  add_library(keju::${name} ALIAS keju_${name})
  target_link_libraries(keju_${name} ${kind} keju_flags ${ARG_LIBS})
  foreach(dep ${ARG_DEPS})
    target_link_libraries(keju_${name} ${kind} keju::${dep})
  endforeach()
endfunction()

# keju_test(base DEPS …): the test binary keju_test_base from the *_test.cpp files of tests/base.
function(keju_test name)
  cmake_parse_arguments(ARG "" "TIMEOUT" "DEPS;LIBS;LABELS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*_test.cpp)
  if(NOT sources)
    return()
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 900)
  endif()
  add_executable(keju_test_${name} ${sources})
  target_link_libraries(keju_test_${name} PRIVATE keju_test_support ${ARG_LIBS})
  foreach(dep ${ARG_DEPS})
    target_link_libraries(keju_test_${name} PRIVATE keju::${dep})
  endforeach()
  add_test(NAME ${name} COMMAND keju_test_${name} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT} LABELS "${ARG_LABELS}")
endfunction()
