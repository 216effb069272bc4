# `find_package(culprit)` gives culprit::culprit, the whole library, and one target per folder.
include(CMakePackageConfigHelpers)
get_property(culprit_modules GLOBAL PROPERTY CULPRIT_MODULES)
add_library(culprit_all INTERFACE)
set_target_properties(culprit_all PROPERTIES EXPORT_NAME culprit)
add_library(culprit::culprit ALIAS culprit_all)
target_link_libraries(culprit_all INTERFACE ${culprit_modules})
install(TARGETS culprit_all ${culprit_modules} EXPORT culpritTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT culpritTargets NAMESPACE culprit:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/culprit)
install(DIRECTORY culprit DESTINATION include FILES_MATCHING PATTERN "*.h")
install(TARGETS culprit_app RUNTIME)
configure_package_config_file(cmake/culpritConfig.cmake.in culpritConfig.cmake
    INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/culprit)
write_basic_package_version_file(culpritConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/culpritConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/culpritConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/culprit)
