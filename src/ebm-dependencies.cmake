# What libebm is built on. The build includes this file and so does the
# installed package when the static library is asked for: both find the same.
#
# In:  ebm_blas      what EBM_BLAS is, or was when the library was built
#      ebm_lapack    pkg-config module of LAPACK; empty when BLAS has it
#                    inside; not defined: ebm::lapack is not made
#      ebm_required  REQUIRED or QUIET
# Out: targets Threads::Threads, ebm::openmp, ebm::blas, ebm::lapack,
#      PkgConfig::EBM_*
get_property(ebm_languages GLOBAL PROPERTY ENABLED_LANGUAGES)
if("C" IN_LIST ebm_languages)
    set(ebm_language C)
else()
    set(ebm_language CXX)
endif()

find_package(Threads ${ebm_required})
find_package(OpenMP ${ebm_required} COMPONENTS ${ebm_language})
if(TARGET OpenMP::OpenMP_${ebm_language} AND NOT TARGET ebm::openmp)
    add_library(ebm::openmp INTERFACE IMPORTED)
    target_link_libraries(ebm::openmp INTERFACE
        OpenMP::OpenMP_${ebm_language})
endif()

find_package(PkgConfig ${ebm_required})
if(PkgConfig_FOUND)
    pkg_check_modules(EBM_SLEEF ${ebm_required} IMPORTED_TARGET sleef)
    pkg_check_modules(EBM_ZLIB ${ebm_required} IMPORTED_TARGET zlib)
    pkg_check_modules(EBM_PNG ${ebm_required} IMPORTED_TARGET libpng)
    pkg_check_modules(EBM_JANSSON ${ebm_required} IMPORTED_TARGET jansson)
endif()

if(ebm_blas STREQUAL "blis")
    # Debian has no pkg-config module for BLIS and keeps it in a folder for
    # each threading flavour. Its cblas.h is a file of its own, not the one
    # that other BLAS packages put on the default path.
    set(ebm_flavours blis-openmp blis-pthread blis-serial blis)
    find_path(EBM_BLIS_INCLUDE_DIR blis.h PATH_SUFFIXES ${ebm_flavours})
    find_library(EBM_BLIS_LIBRARY NAMES blis blis-mt
        PATH_SUFFIXES ${ebm_flavours})
    mark_as_advanced(EBM_BLIS_INCLUDE_DIR EBM_BLIS_LIBRARY)
    if(EBM_BLIS_INCLUDE_DIR AND EBM_BLIS_LIBRARY)
        if(NOT TARGET ebm::blas)
            add_library(ebm::blas INTERFACE IMPORTED)
            set_target_properties(ebm::blas PROPERTIES
                INTERFACE_COMPILE_DEFINITIONS EBM_BLAS_IS_BLIS
                INTERFACE_INCLUDE_DIRECTORIES "${EBM_BLIS_INCLUDE_DIR}"
                INTERFACE_LINK_LIBRARIES "${EBM_BLIS_LIBRARY}")
        endif()
    elseif(ebm_required STREQUAL "REQUIRED")
        message(FATAL_ERROR "EBM_BLAS=blis, but blis.h or libblis was not "
            "found (Debian: libblis-openmp-dev). EBM_BLIS_INCLUDE_DIR and "
            "EBM_BLIS_LIBRARY can name them.")
    endif()
elseif(PkgConfig_FOUND)
    pkg_check_modules(EBM_CBLAS ${ebm_required} IMPORTED_TARGET ${ebm_blas})
    if(TARGET PkgConfig::EBM_CBLAS AND NOT TARGET ebm::blas)
        add_library(ebm::blas INTERFACE IMPORTED)
        target_link_libraries(ebm::blas INTERFACE PkgConfig::EBM_CBLAS)
    endif()
endif()

# LAPACK calls BLAS, so BLAS is named behind it too: for static libraries.
if(DEFINED ebm_lapack AND TARGET ebm::blas AND NOT TARGET ebm::lapack)
    if(NOT ebm_lapack)
        add_library(ebm::lapack INTERFACE IMPORTED)
        target_link_libraries(ebm::lapack INTERFACE ebm::blas)
    elseif(PkgConfig_FOUND)
        pkg_check_modules(EBM_LAPACK ${ebm_required} IMPORTED_TARGET
            ${ebm_lapack})
        if(TARGET PkgConfig::EBM_LAPACK)
            add_library(ebm::lapack INTERFACE IMPORTED)
            target_link_libraries(ebm::lapack INTERFACE
                ebm::blas PkgConfig::EBM_LAPACK ebm::blas)
        endif()
    endif()
endif()
