# `cmake --install` lays down the static library, its headers and a CMake package (the program's rule is in src/cli):
# find_package(vida) gives vida::vida. The library's own dependencies are found again by vidaConfig.cmake, since a static
# library carries none of them.
include(CMakePackageConfigHelpers)

set(VIDA_PACKAGE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/vida)

install(TARGETS vida EXPORT vidaTargets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/vida DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.hpp")
install(EXPORT vidaTargets NAMESPACE vida:: DESTINATION ${VIDA_PACKAGE_DIR})

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/vidaConfig.cmake.in ${PROJECT_BINARY_DIR}/vidaConfig.cmake
  INSTALL_DESTINATION ${VIDA_PACKAGE_DIR})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/vidaConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/vidaConfig.cmake ${PROJECT_BINARY_DIR}/vidaConfigVersion.cmake
  DESTINATION ${VIDA_PACKAGE_DIR})
