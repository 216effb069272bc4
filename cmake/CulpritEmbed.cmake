# culprit_embed(TARGET NAMESPACE_FUNCTION FILE): makes the bytes of FILE part of TARGET, as
# `std::string_view culprit::assets::NAME()`. Included by the build; run with -P it writes the source.
if(CMAKE_SCRIPT_MODE_FILE AND NOT CMAKE_PARENT_LIST_FILE)
    file(READ "${FILE}" bytes HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(REGEX REPLACE "((0x..,){24})" "\\1\n" bytes "${bytes}")
    file(WRITE "${OUTPUT}" "#include <string_view>
namespace culprit::assets {
namespace {
constexpr unsigned char bytes[] = {
${bytes}};
}
std::string_view ${NAME}();
std::string_view ${NAME}() { return {reinterpret_cast<const char*>(bytes), sizeof bytes}; }
}
")
    return()
endif()

set(CULPRIT_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")
function(culprit_embed target name file)
    set(output "${CMAKE_CURRENT_BINARY_DIR}/embedded_${name}.cpp")
    add_custom_command(OUTPUT "${output}"
        COMMAND ${CMAKE_COMMAND} -D NAME=${name} -D FILE=${file} -D OUTPUT=${output}
                -P ${CULPRIT_EMBED_SCRIPT}
        DEPENDS "${file}" "${CULPRIT_EMBED_SCRIPT}" VERBATIM)
    target_sources(${target} PRIVATE "${output}")
endfunction()
