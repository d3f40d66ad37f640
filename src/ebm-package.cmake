# cpack: the Debian packages libebm<soname> (component runtime) and libebm-dev
# (component development). See docs/packaging.md.
#
# Debian's folders, lib/<triplet> among them, follow from the prefix, so other
# prefixes make no packages.
find_program(EBM_GZIP gzip)
mark_as_advanced(EBM_GZIP)
if(NOT PROJECT_IS_TOP_LEVEL OR NOT EBM_GZIP
        OR NOT CMAKE_INSTALL_PREFIX STREQUAL "/usr")
    return()
endif()

set(EBM_PACKAGE_MAINTAINER "The libebm authors <libebm@localhost>" CACHE STRING
    "Name and address in the packages")
set(EBM_PACKAGE_RELEASE 1 CACHE STRING "Revision of the packages")
set(runtime libebm${EBM_ABI_MAJOR})
set(development libebm-dev)
set(version ${PROJECT_VERSION}-${EBM_PACKAGE_RELEASE})

# ---- What Debian wants in each package: licence and changes -----------------
set(doc_dir ${PROJECT_BINARY_DIR}/package)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${doc_dir}/changelog.Debian
    "libebm (${version}) unstable; urgency=medium\n\n"
    "  * Version ${PROJECT_VERSION}.\n\n"
    " -- ${EBM_PACKAGE_MAINTAINER}  ${date}\n")
configure_file(CHANGELOG.md ${doc_dir}/changelog COPYONLY)
foreach(name changelog changelog.Debian)
    execute_process(COMMAND ${EBM_GZIP} -9nf ${doc_dir}/${name}
        COMMAND_ERROR_IS_FATAL ANY)
endforeach()
foreach(part runtime development)
    set(where DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${${part}}
        COMPONENT package-${part} EXCLUDE_FROM_ALL)
    install(FILES ${doc_dir}/changelog.gz ${doc_dir}/changelog.Debian.gz
        ${where})
    install(FILES LICENSE RENAME copyright ${where})
    string(TOUPPER ${part} upper)
    set(CPACK_COMPONENT_${upper}_GROUP ${part})
    set(CPACK_COMPONENT_PACKAGE-${upper}_GROUP ${part})
    set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${${part}})
endforeach()
set(CPACK_COMPONENTS_ALL
    runtime development package-runtime package-development)

# ---- The packages -----------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_DEB_COMPONENT_INSTALL ON)
# CPack's default: with another the first line of both descriptions is this.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_NAME} built using CMake")
set(CPACK_PACKAGE_CONTACT "${EBM_PACKAGE_MAINTAINER}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE
    GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE ${EBM_PACKAGE_RELEASE})
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)

# Depends: what dpkg-shlibdeps finds. A program that is linked with this
# version asks for no older one.
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
# The loader's cache follows by a trigger. CPack would write scripts that call
# ldconfig unless such scripts are named; there are none.
file(WRITE ${doc_dir}/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_EXTRA ${doc_dir}/triggers
    ${doc_dir}/none/postinst ${doc_dir}/none/postrm)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_RUNTIME_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_RUNTIME_DESCRIPTION
    "deep energy-based models by MCMC, shared library
Trains and samples energy-based models p(x) = exp(-E(x)) / Z with Langevin
and other Markov chains, maximum likelihood and contrastive divergence.")

# pkg-config reads the files of all that ebm.pc requires, and the static
# library is linked with them.
if(EBM_BLAS STREQUAL "blis")
    set(blas_package "libblis-openmp-dev | libblis-dev")
elseif(EBM_BLAS STREQUAL "openblas")
    set(blas_package "libopenblas-openmp-dev | libopenblas-dev")
else()
    set(blas_package "lib${EBM_BLAS}-dev")
endif()
if(ebm_lapack)
    string(APPEND blas_package ", lib${ebm_lapack}-dev")
endif()
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${runtime} (= ${version}), \
${blas_package}, libjansson-dev, libpng-dev, libsleef-dev, zlib1g-dev")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION
    "deep energy-based models by MCMC, for building programs
Headers, the static library, and what CMake and pkg-config look for.")

include(CPack)
