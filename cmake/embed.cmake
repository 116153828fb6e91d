# keju_embed(target): compiles suites, data cards and our own sample data into `target`.
function(keju_embed target)
  find_package(Python3 COMPONENTS Interpreter REQUIRED)
  file(GLOB_RECURSE embedded CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/suites/*.yaml
       ${CMAKE_SOURCE_DIR}/datasets/*.yaml ${CMAKE_SOURCE_DIR}/datasets/*.jsonl
       ${CMAKE_SOURCE_DIR}/datasets/*.txt)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/embedded_files.cpp)
  add_custom_command(
    OUTPUT ${out}
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/cmake/embed.py ${CMAKE_SOURCE_DIR} ${out}
    DEPENDS ${CMAKE_SOURCE_DIR}/cmake/embed.py ${embedded}
    COMMENT "Embedding suites and data cards")
  target_sources(${target} PRIVATE ${out})
endfunction()
