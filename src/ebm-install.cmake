# cmake --install. Components: runtime (the shared library) and development
# (headers, link name, static library, ebm.pc, CMake package).
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ebm)

install(TARGETS ebm EXPORT ebm-shared
    LIBRARY COMPONENT runtime NAMELINK_COMPONENT development
    RUNTIME COMPONENT runtime
    ARCHIVE COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS ebm_static EXPORT ebm-static
    ARCHIVE COMPONENT development
    INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY include/ebm DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
    COMPONENT development FILES_MATCHING PATTERN "*.h")

foreach(kind shared static)
    install(EXPORT ebm-${kind} FILE ebm-${kind}-targets.cmake NAMESPACE ebm::
        DESTINATION ${package_dir} COMPONENT development)
endforeach()
configure_package_config_file(src/ebm-config.cmake.in
    ${PROJECT_BINARY_DIR}/ebm-config.cmake INSTALL_DESTINATION ${package_dir})
# Before 1.0 a minor version may change the API.
write_basic_package_version_file(
    ${PROJECT_BINARY_DIR}/ebm-config-version.cmake
    COMPATIBILITY SameMinorVersion)
install(FILES src/ebm-dependencies.cmake
    ${PROJECT_BINARY_DIR}/ebm-config.cmake
    ${PROJECT_BINARY_DIR}/ebm-config-version.cmake
    DESTINATION ${package_dir} COMPONENT development)

# ebm.pc names its own place, so an installed tree can be moved. Folders that
# were set as absolute paths outside the prefix stay absolute.
set(pc_dir ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig)
cmake_path(IS_PREFIX CMAKE_INSTALL_PREFIX "${pc_dir}" NORMALIZE movable)
if(movable)
    file(RELATIVE_PATH up "${pc_dir}" "${CMAKE_INSTALL_PREFIX}")
    string(REGEX REPLACE "/$" "" up "${up}")
    set(pc_prefix "\${pcfiledir}/${up}")
else()
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
endif()
foreach(folder LIBDIR INCLUDEDIR)
    set(full "${CMAKE_INSTALL_FULL_${folder}}")
    cmake_path(IS_PREFIX CMAKE_INSTALL_PREFIX "${full}" NORMALIZE inside)
    if(inside)
        file(RELATIVE_PATH full "${CMAKE_INSTALL_PREFIX}" "${full}")
        set(full "\${prefix}/${full}")
    endif()
    set(pc_${folder} "${full}")
endforeach()

set(pc_requires sleef zlib libpng jansson)
set(pc_libs "${OpenMP_C_FLAGS} -lm")
if(EBM_BLAS STREQUAL "blis")
    cmake_path(GET EBM_BLIS_LIBRARY PARENT_PATH blis_dir)
    string(PREPEND pc_libs "-L${blis_dir} -lblis ")
else()
    list(PREPEND pc_requires ${EBM_BLAS})
endif()
if(ebm_lapack)
    list(PREPEND pc_requires ${ebm_lapack})
endif()
list(JOIN pc_requires ", " pc_requires)
configure_file(ebm.pc.in ebm.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ebm.pc
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)
